#include "dataplane/origin/playlist.h"

#include "dataplane/http/target.h"
#include "dataplane/origin/mpd.h"

#define LIVE_EDGE 3 /* a player starts that many segments before a live playlist's end */

enum sgd_playlist_kind sgd_playlist_kind(struct sg_str text)
{
    if (sg_str_starts(text, SG_STR("\xef\xbb\xbf")))
        text = sg_str_skip(text, 3);
    if (sg_str_starts(text, SG_STR("#EXTM3U")))
        return SGD_PLAYLIST_HLS;
    text.len = SG_MIN(text.len, (size_t)1024);
    return text.len > 0 && text.ptr[0] == '<' && memmem(text.ptr, text.len, "<MPD", 4) != NULL
               ? SGD_PLAYLIST_DASH
               : SGD_PLAYLIST_NONE;
}

/* ---- references ---- */

static bool has_scheme(struct sg_str ref)
{
    for (size_t i = 0; i < ref.len; i++) {
        char c = ref.ptr[i];
        if (c == ':')
            return i > 0;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '-' || c == '.'))
            return false;
    }
    return false;
}

uint32_t sgd_playlist_ref_of(struct sg_str ref)
{
    if (ref.len == 0)
        return 0;
    if (has_scheme(ref)) /* data:, skd: and their like are not fetched from us */
        return ref.len > 4 && strncasecmp(ref.ptr, "http", 4) == 0 ? SGD_PLAYLIST_ABSOLUTE : 0;
    if (ref.ptr[0] != '/')
        return SGD_PLAYLIST_RELATIVE;
    return ref.len > 1 && ref.ptr[1] == '/' ? SGD_PLAYLIST_ABSOLUTE : SGD_PLAYLIST_ROOTED;
}

static struct sg_str path_of(struct sg_str ref)
{
    for (size_t i = 0; i < ref.len; i++)
        if (ref.ptr[i] == '?' || ref.ptr[i] == '#')
            return (struct sg_str){ref.ptr, i};
    return ref;
}

static struct sg_str query_of(struct sg_str ref)
{
    struct sg_str rest = sg_str_skip(ref, path_of(ref).len);
    if (rest.len == 0 || rest.ptr[0] != '?')
        return SG_STR_NONE;
    const char *hash = memchr(rest.ptr, '#', rest.len);
    return (struct sg_str){rest.ptr, hash != NULL ? (size_t)(hash - rest.ptr) : rest.len};
}

static bool is_plain(struct sg_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= 0x20 || (unsigned char)s.ptr[i] >= 0x7f)
            return false;
    return true;
}

bool sgd_playlist_resolve(struct sg_str base, struct sg_str ref, struct sg_out *out)
{
    char memory[SGD_PLAYLIST_PATH_MAX];
    struct sg_out merged = sg_out_init(memory, sizeof(memory));
    struct sg_str path = path_of(ref);
    uint32_t kind = sgd_playlist_ref_of(ref);
    if ((kind != SGD_PLAYLIST_RELATIVE && kind != SGD_PLAYLIST_ROOTED) || !is_plain(ref))
        return false;
    base = path_of(base);
    while (kind == SGD_PLAYLIST_RELATIVE && base.len > 0 && base.ptr[base.len - 1] != '/')
        base.len--;
    if (kind == SGD_PLAYLIST_RELATIVE)
        sg_out_str(&merged, base);
    sg_out_str(&merged, path);
    if (merged.full || merged.len == 0 || memory[0] != '/' ||
        !sgd_target_normalise(sg_out_view(&merged), out))
        return false;
    sg_out_str(out, query_of(ref));
    return !out->full;
}

/* ---- HLS ---- */

static bool next_line(struct sg_str *rest, struct sg_str *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->ptr, '\n', rest->len);
    line->ptr = rest->ptr;
    line->len = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    *rest = sg_str_skip(*rest, line->len + 1);
    if (line->len > 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    *line = sg_str_trim(*line);
    return true;
}

/* The value of URI="..." in a tag's attributes; empty: none. */
static struct sg_str tag_uri(struct sg_str line)
{
    const char *at = memmem(line.ptr, line.len, "URI=\"", 5);
    if (at == NULL)
        return SG_STR_NONE;
    struct sg_str rest = sg_str_skip(line, (size_t)(at - line.ptr) + 5);
    const char *end = rest.len > 0 ? memchr(rest.ptr, '"', rest.len) : NULL;
    return end != NULL ? (struct sg_str){rest.ptr, (size_t)(end - rest.ptr)} : SG_STR_NONE;
}

static uint32_t hls_refs(struct sg_str text)
{
    uint32_t refs = 0;
    for (struct sg_str line; next_line(&text, &line);)
        if (line.len > 0)
            refs |= sgd_playlist_ref_of(line.ptr[0] == '#' ? tag_uri(line) : line);
    return refs;
}

uint32_t sgd_playlist_refs(struct sg_str text)
{
    switch (sgd_playlist_kind(text)) {
    case SGD_PLAYLIST_HLS:
        return hls_refs(text);
    case SGD_PLAYLIST_DASH:
        return sgd_mpd_refs(text);
    case SGD_PLAYLIST_NONE:
        break;
    }
    return 0;
}

/* One pass over a media playlist. */
struct hls {
    struct sg_str path;
    struct sg_str after; /* its path alone, normalised */
    bool found;          /* `after` was passed: what follows is wanted */
    bool at_start;       /* where a player starts is wanted */
    uint32_t wanted, written;
    struct sg_str last; /* one URI in several byte ranges is one fetch */
    struct sg_out *out;
};

static bool same_path(struct sg_str base, struct sg_str ref, struct sg_str path)
{
    char memory[SGD_PLAYLIST_PATH_MAX];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    return sgd_playlist_resolve(base, ref, &out) && sg_str_eq(path_of(sg_out_view(&out)), path);
}

static void hls_segment(struct hls *hls, struct sg_str uri)
{
    char memory[SGD_PLAYLIST_PATH_MAX];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    if (sg_str_eq(uri, hls->last))
        return;
    hls->last = uri;
    if (!hls->found) {
        hls->found = same_path(hls->path, uri, hls->after);
        return;
    }
    size_t before = hls->out->len;
    if (hls->written == hls->wanted || !sgd_playlist_resolve(hls->path, uri, &out))
        return;
    sg_out_str(hls->out, sg_out_view(&out));
    sg_out_char(hls->out, '\n');
    if (hls->out->full)
        hls->out->len = before;
    else
        hls->written++;
}

/* For live ones the beginning is history: start near the end. */
static struct sg_str hls_start(struct sg_str text, uint32_t wanted)
{
    uint32_t segments = 0;
    size_t at = text.len;
    if (memmem(text.ptr, text.len, "#EXT-X-ENDLIST", 14) != NULL)
        return text;
    while (at > 0 && segments < SG_MIN(wanted, (uint32_t)LIVE_EDGE)) {
        size_t end = at;
        while (at > 0 && text.ptr[at - 1] != '\n')
            at--;
        if (end > at && text.ptr[at] != '#' && text.ptr[at] != '\r')
            segments++;
        if (segments < SG_MIN(wanted, (uint32_t)LIVE_EDGE) && at > 0)
            at--;
    }
    return sg_str_skip(text, at);
}

static uint32_t hls_next(struct hls *hls, struct sg_str text)
{
    struct sg_str rest = text;
    if (memmem(text.ptr, text.len, "#EXTINF", 7) == NULL)
        return 0; /* a multivariant playlist */
    hls->at_start = same_path(hls->path, hls->path, hls->after);
    for (struct sg_str line; !hls->at_start && next_line(&rest, &line);) {
        if (line.len > 0 && line.ptr[0] != '#')
            hls_segment(hls, line);
        else if (!hls->found && sg_str_starts(line, SG_STR("#EXT-X-MAP:")))
            hls->at_start = same_path(hls->path, tag_uri(line), hls->after);
    }
    if (!hls->at_start)
        return hls->written;
    hls->found = true;
    hls->last = SG_STR_NONE;
    rest = hls_start(text, hls->wanted);
    for (struct sg_str line; next_line(&rest, &line);)
        if (line.len > 0 && line.ptr[0] != '#')
            hls_segment(hls, line);
    return hls->written;
}

uint32_t sgd_playlist_next(struct sg_str text, struct sg_str path, struct sg_str after,
                           uint32_t max, struct sg_out *out)
{
    char memory[SGD_PLAYLIST_PATH_MAX];
    struct sg_out asked = sg_out_init(memory, sizeof(memory));
    if (text.len > SGD_PLAYLIST_BYTES_MAX || max == 0 ||
        !sgd_playlist_resolve(SG_STR("/"), path_of(after), &asked))
        return 0;
    struct hls hls = {.path = path, .after = sg_out_view(&asked), .wanted = max, .out = out};
    switch (sgd_playlist_kind(text)) {
    case SGD_PLAYLIST_HLS:
        return hls_next(&hls, text);
    case SGD_PLAYLIST_DASH:
        return sgd_mpd_next(text, path, sg_out_view(&asked), max, out);
    case SGD_PLAYLIST_NONE:
        break;
    }
    return 0;
}

/* ---- from the name ---- */

uint32_t sgd_playlist_guess(struct sg_str after, uint32_t max, struct sg_out *out)
{
    struct sg_str path = path_of(after), query = query_of(after);
    size_t end = path.len, begin, written = 0;
    uint64_t number;
    while (end > 0 && path.ptr[end - 1] != '.' && path.ptr[end - 1] != '/')
        end--;
    if (end == 0 || path.ptr[end - 1] != '.')
        return 0;
    end--; /* at the extension's dot */
    while (end > 0 && path.ptr[end - 1] != '/' &&
           !(path.ptr[end - 1] >= '0' && path.ptr[end - 1] <= '9'))
        end--;
    for (begin = end; begin > 0 && path.ptr[begin - 1] >= '0' && path.ptr[begin - 1] <= '9';)
        begin--;
    if (begin == end || end - begin > 18 ||
        !sg_str_to_u64((struct sg_str){path.ptr + begin, end - begin}, &number))
        return 0;
    for (; written < max; written++) {
        size_t before = out->len;
        sg_out_bytes(out, path.ptr, begin);
        sgd_mpd_put_number(out, number + written + 1, (uint32_t)(end - begin));
        sg_out_bytes(out, path.ptr + end, path.len - end);
        sg_out_str(out, query);
        sg_out_char(out, '\n');
        if (out->full) {
            out->len = before;
            break;
        }
    }
    return (uint32_t)written;
}
