#include "dataplane/delivery/prefetch.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "dataplane/delivery/cachekey.h"
#include "dataplane/origin/playlist.h"

#define PLAYLISTS      256  /* remembered, by folder; a power of two */
#define SEEN           4096 /* segments looked at; a power of two */
#define SEEN_AGAIN_NS  (30 * SG_NS_PER_SEC)
#define FLIGHT_MAX     32            /* fetches under way */
#define SEGMENTS_MAX   16            /* after one request */
#define PLAYLIST_BYTES (256 * 1024u) /* of larger ones only the name's number is used */
#define PATHS_BYTES    (8 * 1024)

struct playlist {
    uint64_t folder; /* hash; 0: none */
    uint16_t path_len, key_len;
    char path[SGD_PLAYLIST_PATH_MAX];
    char key[SGE_KEY_BYTES_MAX];
};

struct seen {
    uint64_t segment; /* hash of its key */
    uint64_t at_ns;
};

struct sgd_prefetch {
    uint32_t flight;
    struct playlist playlists[PLAYLISTS];
    struct seen seen[SEEN];
};

enum sg_err sgd_prefetch_open(struct sgd_prefetch **out)
{
    SG_ASSERT(out != NULL);
    *out = sg_boot_alloc(sizeof(**out));
    return *out != NULL ? SG_OK : SG_ENOMEM;
}

void sgd_prefetch_close(struct sgd_prefetch *prefetch)
{
    sg_boot_free(prefetch);
}

void sgd_prefetch_done(struct sgd_prefetch *prefetch)
{
    SG_ASSERT(prefetch->flight > 0);
    prefetch->flight--;
}

/* ---- playlists by folder ---- */

/* Up to and with the last slash; of that without its own name, the folder above. */
static struct sg_str folder_of(struct sg_str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    return path;
}

static struct playlist *playlist_at(struct sgd_exchange *x, struct sg_str folder, uint64_t *hash)
{
    char memory[SGE_KEY_BYTES_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    struct sge_key key;
    sg_out_str(&text, sg_str_from(x->site->name));
    sg_out_char(&text, '\n');
    sg_out_str(&text, folder);
    if (text.full)
        return NULL;
    sge_key_make(x->d->worker->content, sg_out_view(&text), text.len, &key);
    *hash = key.hash[0] | 1;
    return &x->d->prefetch->playlists[*hash / 2 % PLAYLISTS];
}

static void remember(struct sgd_exchange *x)
{
    uint64_t hash;
    struct playlist *p = playlist_at(x, folder_of(x->path), &hash);
    const struct sge_key *key = &x->object->key;
    if (p == NULL || x->path.len > sizeof(p->path))
        return;
    p->folder = hash;
    p->path_len = (uint16_t)x->path.len;
    p->key_len = (uint16_t)key->bytes.len;
    memcpy(p->path, x->path.ptr, x->path.len);
    memcpy(p->key, key->bytes.ptr, key->bytes.len);
}

/* Its text, if all of it lies in RAM in one piece: a reference in *slice. */
static bool playlist_text(struct sgd_exchange *x, const struct playlist *p, struct sg_slice *slice)
{
    struct sge_key key;
    size_t count = 0;
    sge_key_make(x->d->worker->content, (struct sg_str){p->key, p->key_len}, p->key_len, &key);
    struct sge_object *object = sge_content_find(x->d->worker->content, &key);
    if (object == NULL)
        return false;
    bool ok = object->body != NULL && sge_body_bytes(object->body) <= PLAYLIST_BYTES &&
              sge_body_read(object->body, 0, PLAYLIST_BYTES, slice, 1, &count) == SGE_READ_OK;
    if (ok && slice->len < sge_body_bytes(object->body)) {
        sg_slice_drop(slice);
        ok = false;
    }
    sg_hold_unref(&object->hold);
    return ok;
}

/* What follows the segment, one path a line: by the playlist beside it, or in the folder above. */
static uint32_t next_paths(struct sgd_exchange *x, uint32_t max, struct sg_out *out)
{
    struct sg_str folder = folder_of(x->path);
    for (int up = 0; up < 2 && folder.len > 0; up++) {
        uint64_t hash;
        struct sg_slice text;
        const struct playlist *p = playlist_at(x, folder, &hash);
        if (p != NULL && p->folder == hash && playlist_text(x, p, &text)) {
            uint32_t n =
                sgd_playlist_next((struct sg_str){(const char *)text.bytes, text.len},
                                  (struct sg_str){p->path, p->path_len}, x->path, max, out);
            sg_slice_drop(&text);
            if (n > 0)
                return n;
        }
        folder.len--;
        folder = folder_of(folder);
    }
    return sgd_playlist_guess(x->path, max, out);
}

/* ---- fetching ---- */

/* What the viewer asks of one answer only does not hold for the next segments. */
static bool is_own(struct sg_str name)
{
    return sg_str_eq(name, SG_STR("range")) || sg_str_starts(name, SG_STR("if-")) ||
           sg_str_eq(name, SG_STR("authorization")) || sg_str_eq(name, SG_STR("cache-control")) ||
           sg_str_eq(name, SG_STR("pragma"));
}

static void fetch(struct sgd_exchange *x, struct sg_str target)
{
    static const struct sgd_cc none;
    struct sgd_delivery *d = x->d;
    struct sgd_field fields[SGD_FIELDS_MAX];
    char memory[SGE_KEY_BYTES_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    const char *mark = memchr(target.ptr, '?', target.len);
    size_t path_len = mark != NULL ? (size_t)(mark - target.ptr) : target.len;
    struct sg_str path = {target.ptr, path_len};
    struct sg_str query = mark != NULL ? sg_str_skip(target, path_len + 1) : SG_STR_NONE;
    struct sgd_request req = *x->req;
    struct sge_key key;
    sgd_cachekey_primary(x->site, path, query, &text);
    if (text.full || d->prefetch->flight >= FLIGHT_MAX)
        return;
    sge_key_make(d->worker->content, sg_out_view(&text), text.len, &key);
    struct sge_object *there = sge_content_find(d->worker->content, &key);
    if (there != NULL) {
        sg_hold_unref(&there->hold);
        return;
    }
    req.fields = fields;
    req.fields_count = 0;
    for (uint16_t i = 0; i < x->req->fields_count; i++)
        if (!is_own(x->req->fields[i].name))
            fields[req.fields_count++] = x->req->fields[i];
    struct sgd_want_ask ask = {.req = &req,
                               .cc = &none,
                               .path = path,
                               .query = query,
                               .primary = sg_out_view(&text),
                               .snapshot = x->snapshot,
                               .site = x->site_index};
    struct sgd_want *want = sgd_want_make(d, &ask);
    if (want == NULL)
        return;
    want->background = want->prefetch = true;
    d->prefetch->flight++;
    sge_stat_add(d->worker->stats, SGE_STAT_prefetched, 1);
    sgd_want_send(d, want);
}

/* True once in a while for the same segment. */
static bool is_due(struct sgd_exchange *x)
{
    struct seen *seen = &x->d->prefetch->seen[x->primary.hash[0] % SEEN];
    uint64_t now_ns = x->d->worker->now_ns;
    if (seen->segment == x->primary.hash[0] && now_ns - seen->at_ns < SEEN_AGAIN_NS)
        return false;
    *seen = (struct seen){x->primary.hash[0], now_ns};
    return true;
}

static bool ends_in(struct sg_str path, struct sg_str ending)
{
    return path.len >= ending.len &&
           sg_str_eq_nocase(sg_str_skip(path, path.len - ending.len), ending);
}

void sgd_prefetch_after(struct sgd_exchange *x)
{
    char memory[PATHS_BYTES];
    struct sg_out paths = sg_out_init(memory, sizeof(memory));
    uint32_t max = SG_MIN(x->site->cache.prefetch_segments, (uint32_t)SEGMENTS_MAX);
    if (x->req->method != SGD_METHOD_GET || x->object->body == NULL)
        return;
    if (ends_in(x->path, SG_STR(".m3u8")) || ends_in(x->path, SG_STR(".mpd"))) {
        remember(x);
        return;
    }
    if (!is_due(x))
        return;
    uint32_t count = next_paths(x, max, &paths);
    struct sg_str rest = sg_out_view(&paths);
    for (uint32_t i = 0; i < count; i++) {
        const char *end = rest.len == 0 ? NULL : memchr(rest.ptr, '\n', rest.len);
        if (end == NULL)
            return;
        struct sg_str path = {rest.ptr, (size_t)(end - rest.ptr)};
        fetch(x, path);
        rest = sg_str_skip(rest, path.len + 1);
    }
}
