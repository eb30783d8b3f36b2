#include "dataplane/origin/mpd.h"

#include "dataplane/origin/playlist.h"

#define LIVE_EDGE       3
#define WORK_FACTOR     16 /* how often, at most, the text is gone through in parts */
#define NUMBER_MAX      (UINT64_MAX / 4)
#define ENDLESS_REPEATS 100000

/* ---- tags ---- */

struct mpd_tag {
    struct sg_str name;  /* without its namespace prefix */
    struct sg_str attrs; /* all of them */
    struct sg_str rest;  /* of the text, behind the tag */
    bool closes, empty;
};

static bool skip_past(struct sg_str *text, struct sg_str end)
{
    const char *at = memmem(text->ptr, text->len, end.ptr, end.len);
    if (at == NULL)
        return false;
    *text = sg_str_skip(*text, (size_t)(at - text->ptr) + end.len);
    return true;
}

/* Where a tag ends; quoted values may hold '>'. */
static size_t tag_length(struct sg_str text)
{
    char quote = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return i;
    }
    return text.len;
}

static void cut_tag(struct sg_str body, struct mpd_tag *tag)
{
    tag->closes = body.len > 0 && body.ptr[0] == '/';
    if (tag->closes)
        body = sg_str_skip(body, 1);
    tag->empty = body.len > 0 && body.ptr[body.len - 1] == '/';
    body.len -= tag->empty;
    size_t len = 0, colon = 0;
    while (len < body.len && strchr(" \t\r\n", body.ptr[len]) == NULL) {
        if (body.ptr[len++] == ':')
            colon = len;
    }
    tag->name = sg_str_skip((struct sg_str){body.ptr, len}, colon);
    tag->attrs = sg_str_skip(body, len);
}

/* The next tag of `text`; false: none, or nothing that may be read on. */
static bool next_tag(struct sg_str text, struct mpd_tag *tag)
{
    for (;;) {
        const char *at = text.len > 0 ? memchr(text.ptr, '<', text.len) : NULL;
        if (at == NULL)
            return false;
        text = sg_str_skip(text, (size_t)(at - text.ptr) + 1);
        if (sg_str_starts(text, SG_STR("!--"))) {
            if (!skip_past(&text, SG_STR("-->")))
                return false;
        } else if (text.len > 0 && text.ptr[0] == '?') {
            if (!skip_past(&text, SG_STR("?>")))
                return false;
        } else if (text.len > 0 && text.ptr[0] == '!') {
            return false; /* DOCTYPE, CDATA: no MPD needs them */
        } else {
            break;
        }
    }
    size_t len = tag_length(text);
    if (len == text.len || memchr(text.ptr, 0, len) != NULL)
        return false;
    cut_tag((struct sg_str){text.ptr, len}, tag);
    tag->rest = sg_str_skip(text, len + 1);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The raw value of attribute `name`; ptr NULL: absent. */
static struct sg_str attr(const struct mpd_tag *tag, struct sg_str name)
{
    struct sg_str rest = tag->attrs;
    while (rest.len > 0) {
        while (rest.len > 0 && is_blank(rest.ptr[0]))
            rest = sg_str_skip(rest, 1);
        const char *equals = rest.len > 0 ? memchr(rest.ptr, '=', rest.len) : NULL;
        if (equals == NULL || rest.len - (size_t)(equals - rest.ptr) < 3)
            return SG_STR_NONE;
        struct sg_str key = {rest.ptr, (size_t)(equals - rest.ptr)};
        char quote = equals[1];
        rest = sg_str_skip(rest, key.len + 2);
        const char *end = memchr(rest.ptr, quote, rest.len);
        if ((quote != '"' && quote != '\'') || end == NULL)
            return SG_STR_NONE;
        struct sg_str value = {rest.ptr, (size_t)(end - rest.ptr)};
        if (sg_str_eq(key, name))
            return value;
        rest = sg_str_skip(rest, value.len + 1);
    }
    return SG_STR_NONE;
}

static uint64_t attr_number(const struct mpd_tag *tag, struct sg_str name, uint64_t otherwise)
{
    uint64_t number;
    return sg_str_to_u64(attr(tag, name), &number) && number < NUMBER_MAX ? number : otherwise;
}

static void put_unescaped(struct sg_out *out, struct sg_str raw)
{
    static const struct {
        struct sg_str entity;
        char c;
    } known[] = {{{"&amp;", 5}, '&'},
                 {{"&lt;", 4}, '<'},
                 {{"&gt;", 4}, '>'},
                 {{"&quot;", 6}, '"'},
                 {{"&apos;", 6}, '\''}};
    while (raw.len > 0) {
        size_t i = 0;
        while (i < SG_COUNT(known) && !sg_str_starts(raw, known[i].entity))
            i++;
        sg_out_char(out, i < SG_COUNT(known) ? known[i].c : raw.ptr[0]);
        raw = sg_str_skip(raw, i < SG_COUNT(known) ? known[i].entity.len : 1);
    }
}

void sgd_mpd_put_number(struct sg_out *out, uint64_t number, uint32_t width)
{
    char digits[20];
    struct sg_out d = sg_out_init(digits, sizeof(digits));
    sg_out_u64(&d, number);
    for (size_t i = d.len; i < width; i++)
        sg_out_char(out, '0');
    sg_out_str(out, sg_out_view(&d));
}

/* ---- the manifest ---- */

enum { LEVEL_MPD, LEVEL_PERIOD, LEVEL_SET, LEVEL_REPRESENTATION, LEVELS };

/* What a level says or inherits. Strings are raw, in the text. */
struct mpd_level {
    char base[SGD_PLAYLIST_PATH_MAX / 2]; /* resolved */
    size_t base_len;
    bool foreign;     /* BaseURL names another host */
    bool base_is_own; /* the first BaseURL counts */
    struct sg_str media, initialization;
    struct sg_str timeline, list; /* inside of SegmentTimeline, SegmentList; ptr NULL: none */
    uint64_t start_number, timescale, duration;
    struct sg_str id, bandwidth;
};

struct mpd {
    struct sg_str after;
    bool is_static;
    uint64_t presentation_ms; /* 0: not said */
    uint32_t wanted, written;
    bool done;
    size_t work_left; /* bytes that may still be looked at */
    struct sg_out *out;
    struct mpd_level levels[LEVELS];
    uint32_t level;
};

static bool spend(struct mpd *mpd, size_t bytes)
{
    if (bytes >= mpd->work_left) {
        mpd->done = true;
        return false;
    }
    mpd->work_left -= bytes;
    return true;
}

static struct sg_str level_base(const struct mpd_level *level)
{
    return (struct sg_str){level->base, level->base_len};
}

/* "PT1H2M3.5S"; years and months are nobody's. 0: not understood. Fractions are rounded up: one
 * segment too many does no harm. */
static uint64_t duration_ms(struct sg_str text)
{
    uint64_t ms = 0;
    if (!sg_str_starts(text, SG_STR("PT")))
        return 0;
    for (size_t i = 2; i < text.len; i++) {
        uint64_t number = 0;
        for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && number < 1000000000; i++)
            number = number * 10 + (uint64_t)(text.ptr[i] - '0');
        bool fraction = i < text.len && text.ptr[i] == '.';
        for (i += fraction; fraction && i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9';)
            i++;
        char unit = i < text.len ? text.ptr[i] : 0;
        ms += (number + fraction) * (unit == 'H'   ? 3600000
                                     : unit == 'M' ? 60000
                                     : unit == 'S' ? 1000
                                                   : 0);
    }
    return ms;
}

/* ---- templates ---- */

/* What stands for $...$ in a template. */
struct mpd_values {
    const struct mpd_level *level;
    uint64_t number, time;
};

/* "$Number%05d$": the identifier without its width, and the width. */
static struct sg_str cut_width(struct sg_str id, uint32_t *width)
{
    const char *percent = id.len > 0 ? memchr(id.ptr, '%', id.len) : NULL;
    uint64_t w = 1;
    *width = 1;
    if (percent == NULL)
        return id;
    struct sg_str format = sg_str_skip(id, (size_t)(percent - id.ptr) + 1);
    if (format.len >= 2 && format.ptr[0] == '0' && format.ptr[format.len - 1] == 'd' &&
        sg_str_to_u64((struct sg_str){format.ptr, format.len - 1}, &w) && w <= 20)
        *width = (uint32_t)w;
    return (struct sg_str){id.ptr, (size_t)(percent - id.ptr)};
}

static bool put_identifier(struct sg_out *out, struct sg_str id, const struct mpd_values *values)
{
    uint32_t width;
    id = cut_width(id, &width);
    if (id.len == 0)
        sg_out_char(out, '$');
    else if (sg_str_eq(id, SG_STR("RepresentationID")))
        put_unescaped(out, values->level->id);
    else if (sg_str_eq(id, SG_STR("Bandwidth")))
        sg_out_str(out, values->level->bandwidth);
    else if (sg_str_eq(id, SG_STR("Number")))
        sgd_mpd_put_number(out, values->number, width);
    else if (sg_str_eq(id, SG_STR("Time")))
        sgd_mpd_put_number(out, values->time, width);
    else
        return false;
    return true;
}

static bool fill_template(struct sg_str template, const struct mpd_values *values,
                          struct sg_out *out)
{
    while (template.len > 0) {
        const char *open = memchr(template.ptr, '$', template.len);
        struct sg_str plain = {template.ptr,
                               open != NULL ? (size_t)(open - template.ptr) : template.len};
        put_unescaped(out, plain);
        template = sg_str_skip(template, plain.len + 1);
        if (open == NULL)
            break;
        const char *close = template.len > 0 ? memchr(template.ptr, '$', template.len) : NULL;
        if (close == NULL)
            return false;
        struct sg_str id = {template.ptr, (size_t)(close - template.ptr)};
        template = sg_str_skip(template, id.len + 1);
        if (!put_identifier(out, id, values))
            return false;
    }
    return !out->full;
}

static bool has_identifier(struct sg_str template, const char *name)
{
    return template.len > 0 && memmem(template.ptr, template.len, name, strlen(name)) != NULL;
}

/* The path that the template gives for those values. */
static bool template_path(struct mpd *mpd, struct sg_str template, const struct mpd_values *values,
                          struct sg_out *out)
{
    char memory[SGD_PLAYLIST_PATH_MAX];
    struct sg_out ref = sg_out_init(memory, sizeof(memory));
    return template.len > 0 && spend(mpd, template.len + values->level->base_len) &&
           fill_template(template, values, &ref) &&
           sgd_playlist_resolve(level_base(values->level), sg_out_view(&ref), out);
}

static bool gives_after(struct mpd *mpd, struct sg_str template, const struct mpd_values *values)
{
    char memory[SGD_PLAYLIST_PATH_MAX];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    if (!template_path(mpd, template, values, &out))
        return false;
    struct sg_str path = sg_out_view(&out);
    const char *mark = memchr(path.ptr, '?', path.len);
    path.len = mark != NULL ? (size_t)(mark - path.ptr) : path.len;
    return sg_str_eq(path, mpd->after);
}

static void put_path(struct mpd *mpd, struct sg_str path)
{
    size_t before = mpd->out->len;
    sg_out_str(mpd->out, path);
    sg_out_char(mpd->out, '\n');
    if (mpd->out->full) {
        mpd->out->len = before;
        mpd->done = true;
        return;
    }
    mpd->done = ++mpd->written == mpd->wanted;
}

static void put_segment(struct mpd *mpd, const struct mpd_values *values)
{
    char memory[SGD_PLAYLIST_PATH_MAX];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    if (!template_path(mpd, values->level->media, values, &out))
        mpd->done = true;
    else
        put_path(mpd, sg_out_view(&out));
}

/* ---- what is asked for now ---- */

/* Sets `*value`, which is values->number or values->time, to what `after` has in its place. The
 * digits are looked for where the template's beginning, with 0 in that place, ends. */
static bool find_value(struct mpd *mpd, struct mpd_values *values, uint64_t *value)
{
    char memory[SGD_PLAYLIST_PATH_MAX];
    struct sg_out zero = sg_out_init(memory, sizeof(memory));
    const char *after = mpd->after.ptr;
    size_t begin = 0, end;
    *value = 0;
    if (!template_path(mpd, values->level->media, values, &zero))
        return false;
    while (begin < zero.len && begin < mpd->after.len && memory[begin] == after[begin])
        begin++;
    for (end = begin; end < mpd->after.len && after[end] >= '0' && after[end] <= '9';)
        end++;
    while (begin > 0 && after[begin - 1] >= '0' && after[begin - 1] <= '9')
        begin--;
    /* Digits of the name's own may stand right before: try from each, few as they are. */
    for (; begin < end; begin++)
        if (sg_str_to_u64((struct sg_str){after + begin, end - begin}, value) &&
            *value < NUMBER_MAX && gives_after(mpd, values->level->media, values))
            return true;
    return false;
}

/* ---- segments with a timeline ---- */

/* Goes along the timeline; the segments behind the one at `after_time`, or where that is NUMBER_MAX
 * those from the index `from` on, are written. */
static void walk_timeline(struct mpd *mpd, const struct mpd_level *level, uint64_t after_time,
                          uint64_t from)
{
    struct mpd_values values = {level, level->start_number, 0};
    struct mpd_tag tag = {.rest = level->timeline};
    bool found = false;
    uint64_t index = 0;
    while (!mpd->done && next_tag(tag.rest, &tag) && spend(mpd, tag.attrs.len + 8)) {
        if (!sg_str_eq(tag.name, SG_STR("S")) || tag.closes)
            continue;
        uint64_t step = attr_number(&tag, SG_STR("d"), 0);
        /* "-1" is no number: on and on, so enough for one answer. */
        uint64_t endless = attr(&tag, SG_STR("r")).len > 0 ? ENDLESS_REPEATS : 0;
        uint64_t repeats = attr_number(&tag, SG_STR("r"), endless);
        values.time = attr_number(&tag, SG_STR("t"), values.time);
        for (uint64_t i = 0; i <= repeats && !mpd->done && values.time < NUMBER_MAX; i++) {
            if (found || (after_time == NUMBER_MAX && index >= from))
                put_segment(mpd, &values);
            found |= values.time == after_time;
            index++;
            values.number++;
            values.time += step;
            (void)spend(mpd, 1);
        }
    }
}

static uint64_t count_timeline(struct mpd *mpd, const struct mpd_level *level)
{
    struct mpd_tag tag = {.rest = level->timeline};
    uint64_t count = 0;
    while (next_tag(tag.rest, &tag) && spend(mpd, tag.attrs.len + 8))
        if (sg_str_eq(tag.name, SG_STR("S")) && !tag.closes)
            count += 1 + SG_MIN(attr_number(&tag, SG_STR("r"), 0), (uint64_t)1 << 32);
    return count;
}

/* ---- numbered segments ---- */

/* The first number behind the last segment; UINT64_MAX: not known. */
static uint64_t number_end(struct mpd *mpd, const struct mpd_level *level)
{
    if (level->timeline.ptr != NULL)
        return level->start_number + count_timeline(mpd, level);
    if (!mpd->is_static || mpd->presentation_ms == 0 || level->duration == 0 ||
        level->timescale > UINT32_MAX)
        return UINT64_MAX;
    uint64_t total = mpd->presentation_ms * level->timescale / 1000;
    return level->start_number + (total + level->duration - 1) / level->duration;
}

static void put_numbers(struct mpd *mpd, const struct mpd_level *level, uint64_t from)
{
    struct mpd_values values = {level, from, 0};
    uint64_t end = number_end(mpd, level);
    while (!mpd->done && values.number < end) {
        put_segment(mpd, &values);
        values.number++;
    }
}

/* ---- lists ---- */

static void walk_list(struct mpd *mpd, const struct mpd_level *level)
{
    struct mpd_tag tag = {.rest = level->list};
    bool found = false;
    while (!mpd->done && spend(mpd, 64) && next_tag(tag.rest, &tag)) {
        char memory[SGD_PLAYLIST_PATH_MAX], raw[SGD_PLAYLIST_PATH_MAX];
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        struct sg_out ref = sg_out_init(raw, sizeof(raw));
        bool is_init = sg_str_eq(tag.name, SG_STR("Initialization"));
        put_unescaped(&ref, attr(&tag, is_init ? SG_STR("sourceURL") : SG_STR("media")));
        if (tag.closes || (!is_init && !sg_str_eq(tag.name, SG_STR("SegmentURL"))) || ref.full ||
            !sgd_playlist_resolve(level_base(level), sg_out_view(&ref), &out))
            continue;
        if (found)
            put_path(mpd, sg_out_view(&out));
        else
            found = sg_str_eq(sg_out_view(&out), mpd->after);
    }
    mpd->done |= found;
}

/* ---- one representation ---- */

static void start_segments(struct mpd *mpd, const struct mpd_level *level)
{
    if (level->timeline.ptr != NULL) {
        uint64_t count = mpd->is_static ? 0 : count_timeline(mpd, level);
        walk_timeline(mpd, level, NUMBER_MAX, count > LIVE_EDGE ? count - LIVE_EDGE : 0);
    } else if (mpd->is_static && has_identifier(level->media, "$Number")) {
        put_numbers(mpd, level, level->start_number);
    } /* a live one without a timeline starts where the clock says */
    mpd->done = true;
}

static void representation(struct mpd *mpd)
{
    const struct mpd_level *level = &mpd->levels[LEVEL_REPRESENTATION];
    struct mpd_values values = {level, 0, 0};
    if (level->foreign)
        return;
    if (level->list.ptr != NULL) {
        walk_list(mpd, level);
    } else if (gives_after(mpd, level->initialization, &values)) {
        start_segments(mpd, level);
    } else if (has_identifier(level->media, "$Time") && level->timeline.ptr != NULL) {
        if (!find_value(mpd, &values, &values.time))
            return;
        walk_timeline(mpd, level, values.time, 0);
        mpd->done = true;
    } else if (has_identifier(level->media, "$Number")) {
        if (!find_value(mpd, &values, &values.number))
            return;
        put_numbers(mpd, level, values.number + 1);
        mpd->done = true;
    }
}

/* ---- the pass ---- */

/* Up to the next tag: a BaseURL's text, or the inside up to `end`. */
static struct sg_str inside(struct mpd *mpd, struct sg_str rest, const char *end)
{
    const char *at = rest.len > 0 ? memmem(rest.ptr, rest.len, end, strlen(end)) : NULL;
    size_t len = at != NULL ? (size_t)(at - rest.ptr) : rest.len;
    return spend(mpd, len) && at != NULL ? (struct sg_str){rest.ptr, len} : SG_STR_NONE;
}

static void base_url(struct mpd *mpd, const struct mpd_tag *tag)
{
    struct mpd_level *level = &mpd->levels[mpd->level];
    char raw[SGD_PLAYLIST_PATH_MAX], memory[sizeof(level->base)];
    struct sg_out ref = sg_out_init(raw, sizeof(raw));
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sg_str text = sg_str_trim(inside(mpd, tag->rest, "<"));
    if (level->base_is_own || text.len == 0)
        return;
    level->base_is_own = true;
    put_unescaped(&ref, text);
    level->foreign = ref.full || !sgd_playlist_resolve(level_base(level), sg_out_view(&ref), &out);
    if (level->foreign)
        return;
    memcpy(level->base, memory, out.len);
    level->base_len = out.len;
}

static void segment_template(struct mpd_level *level, const struct mpd_tag *tag)
{
    struct sg_str media = attr(tag, SG_STR("media")), init = attr(tag, SG_STR("initialization"));
    level->media = media.ptr != NULL ? media : level->media;
    level->initialization = init.ptr != NULL ? init : level->initialization;
    level->start_number = attr_number(tag, SG_STR("startNumber"), level->start_number);
    level->timescale = attr_number(tag, SG_STR("timescale"), level->timescale);
    level->duration = attr_number(tag, SG_STR("duration"), level->duration);
}

static uint32_t level_of(struct sg_str name)
{
    static const struct sg_str names[LEVELS] = {
        {"MPD", 3}, {"Period", 6}, {"AdaptationSet", 13}, {"Representation", 14}};
    for (uint32_t i = 0; i < LEVELS; i++)
        if (sg_str_eq(name, names[i]))
            return i;
    return LEVELS;
}

static void level_open(struct mpd *mpd, uint32_t to, const struct mpd_tag *tag)
{
    struct mpd_level *level = &mpd->levels[to];
    if (to != LEVEL_MPD && spend(mpd, mpd->levels[to - 1].base_len + 64)) {
        *level = mpd->levels[to - 1];
        level->base_is_own = false;
    }
    mpd->level = to;
    if (to == LEVEL_MPD) {
        mpd->is_static = !sg_str_eq(attr(tag, SG_STR("type")), SG_STR("dynamic"));
        mpd->presentation_ms = duration_ms(attr(tag, SG_STR("mediaPresentationDuration")));
    } else if (to == LEVEL_REPRESENTATION) {
        level->id = attr(tag, SG_STR("id"));
        level->bandwidth = attr(tag, SG_STR("bandwidth"));
    }
}

static void level_close(struct mpd *mpd, uint32_t from)
{
    if (from == LEVEL_REPRESENTATION && mpd->level == from)
        representation(mpd);
    mpd->level = from > 0 ? from - 1 : 0;
}

static void on_tag(struct mpd *mpd, const struct mpd_tag *tag)
{
    uint32_t to = level_of(tag->name);
    struct mpd_level *level = &mpd->levels[mpd->level];
    if (to < LEVELS) {
        if (!tag->closes)
            level_open(mpd, to, tag);
        if (tag->closes || tag->empty)
            level_close(mpd, to);
    } else if (tag->closes) {
        return;
    } else if (sg_str_eq(tag->name, SG_STR("BaseURL"))) {
        base_url(mpd, tag);
    } else if (sg_str_eq(tag->name, SG_STR("SegmentTemplate"))) {
        segment_template(level, tag);
    } else if (sg_str_eq(tag->name, SG_STR("SegmentTimeline"))) {
        level->timeline = inside(mpd, tag->rest, "/SegmentTimeline>");
    } else if (sg_str_eq(tag->name, SG_STR("SegmentList")) && !tag->empty) {
        level->list = inside(mpd, tag->rest, "/SegmentList>");
    }
}

uint32_t sgd_mpd_next(struct sg_str text, struct sg_str path, struct sg_str after, uint32_t max,
                      struct sg_out *out)
{
    struct mpd mpd = {
        .after = after, .wanted = max, .work_left = (text.len + 4096) * WORK_FACTOR, .out = out};
    struct mpd_level *top = &mpd.levels[LEVEL_MPD];
    struct mpd_tag tag = {.rest = text};
    if (max == 0 || path.len == 0 || path.len > sizeof(top->base))
        return 0;
    memcpy(top->base, path.ptr, path.len);
    top->base_len = path.len;
    top->start_number = top->timescale = 1;
    while (!mpd.done && next_tag(tag.rest, &tag))
        on_tag(&mpd, &tag);
    return mpd.written;
}

uint32_t sgd_mpd_refs(struct sg_str text)
{
    static const struct sg_str names[] = {
        {"media", 5}, {"initialization", 14}, {"sourceURL", 9}, {"index", 5}};
    struct mpd mpd = {.work_left = (text.len + 4096) * WORK_FACTOR};
    struct mpd_tag tag = {.rest = text};
    uint32_t refs = 0;
    while (next_tag(tag.rest, &tag)) {
        if (sg_str_eq(tag.name, SG_STR("BaseURL")) && !tag.closes)
            refs |= sgd_playlist_ref_of(sg_str_trim(inside(&mpd, tag.rest, "<")));
        bool lists = sg_str_eq(tag.name, SG_STR("SegmentTemplate")) ||
                     sg_str_eq(tag.name, SG_STR("SegmentURL")) ||
                     sg_str_eq(tag.name, SG_STR("Initialization"));
        for (size_t i = 0; lists && i < SG_COUNT(names); i++)
            refs |= sgd_playlist_ref_of(attr(&tag, names[i]));
    }
    return refs;
}
