#include "tests/sgt.h"

#include "dataplane/origin/playlist.h"

#include <stdio.h>

struct row {
    const char *path, *after;
    uint32_t max;
    const char *next; /* lines */
};

static void run_rows(const char *text, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char memory[4096];
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        uint32_t lines = 0;
        uint32_t n = sgd_playlist_next(sg_str_from(text), sg_str_from(rows[i].path),
                                       sg_str_from(rows[i].after), rows[i].max, &out);
        if (!sg_str_eq(sg_out_view(&out), sg_str_from(rows[i].next)))
            fail_msg("row %zu, after %s: got\n%.*s", i, rows[i].after, (int)out.len, memory);
        for (const char *c = rows[i].next; *c != 0; c++)
            lines += *c == '\n';
        assert_int_equal(n, lines);
    }
}

static const char hls_vod[] =
    "#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-MAP:URI=\"init.mp4\"\r\n"
    "#EXTINF:4,\r\nseg-1.m4s\r\n#EXTINF:4,\r\nseg-2.m4s?x=1\r\n"
    "#EXTINF:4,\r\n../v/seg-3.m4s\r\n#EXTINF:4,\r\n/top/seg-4.m4s\r\n"
    "#EXTINF:4,\r\nhttps://other.example/seg-5.m4s\r\n"
    "#EXTINF:4,\r\nseg-6.m4s\r\n#EXT-X-ENDLIST\r\n";

static void hls_segments_follow_in_the_playlists_order(void **fixture)
{
    static const struct row rows[] = {
        {"/a/v/p.m3u8", "/a/v/seg-1.m4s", 2, "/a/v/seg-2.m4s?x=1\n/a/v/seg-3.m4s\n"},
        {"/a/v/p.m3u8", "/a/v/seg-2.m4s", 2, "/a/v/seg-3.m4s\n/top/seg-4.m4s\n"},
        {"/a/v/p.m3u8", "/a/v/seg-3.m4s", 9, "/top/seg-4.m4s\n/a/v/seg-6.m4s\n"},
        {"/a/v/p.m3u8", "/a/v/seg-6.m4s", 9, ""},
        {"/a/v/p.m3u8", "/a/v/init.mp4", 1, "/a/v/seg-1.m4s\n"},
        {"/a/v/p.m3u8", "/a/v/p.m3u8", 1, "/a/v/seg-1.m4s\n"},
        {"/a/v/p.m3u8", "/a/v/unknown.m4s", 3, ""},
        {"/a/v/p.m3u8", "/a/v/seg-1.m4s", 0, ""},
    };
    run_rows(hls_vod, rows, SG_COUNT(rows));
    (void)fixture;
}

static void a_live_hls_playlist_is_begun_near_its_end(void **fixture)
{
    static const char text[] = "#EXTM3U\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2,\n1.m4s\n#EXTINF:2,\n"
                               "2.m4s\n#EXTINF:2,\n3.m4s\n#EXTINF:2,\n4.m4s\n#EXTINF:2,\n5.m4s\n";
    static const struct row rows[] = {
        {"/l/p.m3u8", "/l/p.m3u8", 5, "/l/3.m4s\n/l/4.m4s\n/l/5.m4s\n"},
        {"/l/p.m3u8", "/l/i.mp4", 1, "/l/5.m4s\n"},
        {"/l/p.m3u8", "/l/4.m4s", 5, "/l/5.m4s\n"},
        {"/l/p.m3u8", "/l/5.m4s", 5, ""},
    };
    run_rows(text, rows, SG_COUNT(rows));
    (void)fixture;
}

static void byte_ranges_of_one_file_are_one_fetch(void **fixture)
{
    static const char text[] = "#EXTM3U\n#EXTINF:2,\n#EXT-X-BYTERANGE:10@0\na.mp4\n#EXTINF:2,\n"
                               "#EXT-X-BYTERANGE:10@10\na.mp4\n#EXTINF:2,\nb.mp4\n#EXTINF:2,\n"
                               "b.mp4\n#EXTINF:2,\nc.mp4\n#EXT-X-ENDLIST\n";
    static const struct row rows[] = {{"/p.m3u8", "/a.mp4", 5, "/b.mp4\n/c.mp4\n"}};
    run_rows(text, rows, SG_COUNT(rows));
    (void)fixture;
}

static void a_multivariant_playlist_has_no_next_segment(void **fixture)
{
    static const char text[] = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n"
                               "#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh.m3u8\n";
    static const struct row rows[] = {{"/m.m3u8", "/low.m3u8", 5, ""},
                                      {"/m.m3u8", "/m.m3u8", 5, ""}};
    run_rows(text, rows, SG_COUNT(rows));
    (void)fixture;
}

static const char dash_number[] =
    "<?xml version=\"1.0\"?>\n<!-- <Period> -->\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" "
    "type=\"static\" mediaPresentationDuration=\"PT1M0.5S\"><Period><AdaptationSet>"
    "<SegmentTemplate media=\"$RepresentationID$/chunk-$Number%05d$.m4s\" "
    "initialization=\"$RepresentationID$/init.m4s\" startNumber=\"1\" timescale=\"1000\" "
    "duration=\"10000\"/><Representation id=\"v0\" bandwidth=\"100\"/>"
    "<Representation id=\"v1\" bandwidth=\"200\"></Representation></AdaptationSet></Period></MPD>";

static void dash_numbers_count_up_to_the_presentations_end(void **fixture)
{
    static const struct row rows[] = {
        {"/d/m.mpd", "/d/v1/chunk-00002.m4s", 2, "/d/v1/chunk-00003.m4s\n/d/v1/chunk-00004.m4s\n"},
        {"/d/m.mpd", "/d/v0/chunk-00006.m4s", 9, "/d/v0/chunk-00007.m4s\n"},
        {"/d/m.mpd", "/d/v0/chunk-00007.m4s", 9, ""},
        {"/d/m.mpd", "/d/v1/init.m4s", 1, "/d/v1/chunk-00001.m4s\n"},
        {"/d/m.mpd", "/d/v2/chunk-00002.m4s", 2, ""},
        {"/d/m.mpd", "/d/v1/chunk-2.m4s", 2, ""},
    };
    run_rows(dash_number, rows, SG_COUNT(rows));
    (void)fixture;
}

static void dash_times_follow_the_timeline(void **fixture)
{
    static const char text[] =
        "<MPD type='dynamic'><BaseURL>media/</BaseURL><Period><AdaptationSet>"
        "<SegmentTemplate timescale='90000' media='v1-$Time$.m4s?a=1&amp;b=2' "
        "initialization='v1-init.mp4'><SegmentTimeline><S t='100' d='10' r='2'/>"
        "<S d='20'/><S t='500' d='5' r='-1'/></SegmentTimeline></SegmentTemplate>"
        "<Representation id='v1'/></AdaptationSet></Period></MPD>";
    static const struct row rows[] = {
        {"/d/m.mpd", "/d/media/v1-100.m4s", 2,
         "/d/media/v1-110.m4s?a=1&b=2\n/d/media/v1-120.m4s?a=1&b=2\n"},
        {"/d/m.mpd", "/d/media/v1-120.m4s?a=1&b=2", 2,
         "/d/media/v1-130.m4s?a=1&b=2\n/d/media/v1-500.m4s?a=1&b=2\n"},
        {"/d/m.mpd", "/d/media/v1-515.m4s", 1, "/d/media/v1-520.m4s?a=1&b=2\n"},
        {"/d/m.mpd", "/d/media/v1-115.m4s", 2, ""},
        {"/d/m.mpd", "/d/media/v1-init.mp4", 9,
         "/d/media/v1-120.m4s?a=1&b=2\n/d/media/v1-130.m4s?a=1&b=2\n/d/media/"
         "v1-500.m4s?a=1&b=2\n"},
    };
    char memory[4096];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    run_rows(text, rows, 4);
    /* what runs on and on counts as one here: the start is near, not exact */
    assert_int_equal(sgd_playlist_next(sg_str_from(text), SG_STR("/d/m.mpd"),
                                       SG_STR("/d/media/v1-init.mp4"), 3, &out),
                     3);
    (void)fixture;
}

static void dash_lists_and_numbers_with_a_timeline_have_an_end(void **fixture)
{
    static const char list[] =
        "<MPD><Period><AdaptationSet><Representation id='1'><BaseURL>r1/</BaseURL><SegmentList>"
        "<Initialization sourceURL='i.mp4'/><SegmentURL media='a.m4s'/><SegmentURL "
        "media='b.m4s'/></SegmentList></Representation></AdaptationSet></Period></MPD>";
    static const struct row list_rows[] = {{"/m.mpd", "/r1/a.m4s", 5, "/r1/b.m4s\n"},
                                           {"/m.mpd", "/r1/i.mp4", 1, "/r1/a.m4s\n"},
                                           {"/m.mpd", "/r1/b.m4s", 5, ""}};
    static const char numbered[] =
        "<MPD><Period><AdaptationSet><SegmentTemplate media='$RepresentationID$-$Number$.m4s' "
        "startNumber='7'><SegmentTimeline><S t='0' d='1' r='1'/><S d='2'/></SegmentTimeline>"
        "</SegmentTemplate><Representation id='v10'/></AdaptationSet></Period></MPD>";
    static const struct row numbered_rows[] = {
        {"/m.mpd", "/v10-7.m4s", 9, "/v10-8.m4s\n/v10-9.m4s\n"}, {"/m.mpd", "/v10-9.m4s", 9, ""}};
    run_rows(list, list_rows, SG_COUNT(list_rows));
    run_rows(numbered, numbered_rows, SG_COUNT(numbered_rows));
    (void)fixture;
}

static void other_hosts_and_dangerous_documents_yield_nothing(void **fixture)
{
    static const char foreign[] =
        "<MPD><BaseURL>https://other.example/x/</BaseURL><Period><AdaptationSet><SegmentTemplate "
        "media='$Number$.m4s'/><Representation id='1'/></AdaptationSet></Period></MPD>";
    static const char doctype[] = "<!DOCTYPE MPD [<!ENTITY a \"b\">]><MPD><Period><AdaptationSet>"
                                  "<SegmentTemplate media='$Number$.m4s'/><Representation "
                                  "id='1'/></AdaptationSet></Period></MPD>";
    static const char escape[] = "#EXTM3U\n#EXTINF:1,\na.ts\n#EXTINF:1,\n../../../etc/passwd\n"
                                 "#EXTINF:1,\n%2e%2e/%2e%2e/b.ts\n#EXTINF:1,\nb c.ts\n";
    static const struct row rows[] = {{"/x/m.mpd", "/x/1.m4s", 5, ""}};
    static const struct row escape_rows[] = {{"/x/p.m3u8", "/x/a.ts", 5, ""}};
    run_rows(foreign, rows, 1);
    run_rows(doctype, rows, 1);
    run_rows(escape, escape_rows, 1);
    (void)fixture;
}

static void names_count_on_with_their_width(void **fixture)
{
    static const struct {
        const char *after;
        uint32_t max;
        const char *next;
    } rows[] = {
        {"/a/seg-0009.m4s", 2, "/a/seg-0010.m4s\n/a/seg-0011.m4s\n"},
        {"/a/99.ts?x=1", 1, "/a/100.ts?x=1\n"},
        {"/v2/chunk_5_video.m4s", 1, "/v2/chunk_6_video.m4s\n"},
        {"/v2/init.mp4", 2, ""},
        {"/v2/noext5", 2, ""},
        {"/a/99999999999999999999.ts", 1, ""},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char memory[256];
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        (void)sgd_playlist_guess(sg_str_from(rows[i].after), rows[i].max, &out);
        if (!sg_str_eq(sg_out_view(&out), sg_str_from(rows[i].next)))
            fail_msg("%s: %.*s", rows[i].after, (int)out.len, memory);
    }
    (void)fixture;
}

static void ways_of_naming_are_told_for_path_tokens(void **fixture)
{
    static const struct {
        const char *text;
        uint32_t refs;
    } rows[] = {
        {hls_vod, SGD_PLAYLIST_RELATIVE | SGD_PLAYLIST_ROOTED | SGD_PLAYLIST_ABSOLUTE},
        {dash_number, SGD_PLAYLIST_RELATIVE},
        {"#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://key\"\n#EXTINF:1,\na.ts\n",
         SGD_PLAYLIST_RELATIVE},
        {"#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"/audio.m3u8\"\nv.m3u8\n",
         SGD_PLAYLIST_RELATIVE | SGD_PLAYLIST_ROOTED},
        {"#EXTM3U\n#EXTINF:1,\n//cdn.example/a.ts\n", SGD_PLAYLIST_ABSOLUTE},
        {"<MPD><BaseURL>http://a/</BaseURL></MPD>", SGD_PLAYLIST_ABSOLUTE},
        {"<html>", 0},
        {"", 0},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        assert_int_equal(sgd_playlist_refs(sg_str_from(rows[i].text)), rows[i].refs);
    (void)fixture;
}

static void output_that_does_not_fit_is_left_out_whole(void **fixture)
{
    char memory[20];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    assert_int_equal(sgd_playlist_next(sg_str_from(hls_vod), SG_STR("/v/p.m3u8"),
                                       SG_STR("/v/seg-2.m4s"), 9, &out),
                     1);
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("/v/seg-3.m4s\n")));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(hls_segments_follow_in_the_playlists_order),
    cmocka_unit_test(a_live_hls_playlist_is_begun_near_its_end),
    cmocka_unit_test(byte_ranges_of_one_file_are_one_fetch),
    cmocka_unit_test(a_multivariant_playlist_has_no_next_segment),
    cmocka_unit_test(dash_numbers_count_up_to_the_presentations_end),
    cmocka_unit_test(dash_times_follow_the_timeline),
    cmocka_unit_test(dash_lists_and_numbers_with_a_timeline_have_an_end),
    cmocka_unit_test(other_hosts_and_dangerous_documents_yield_nothing),
    cmocka_unit_test(names_count_on_with_their_width),
    cmocka_unit_test(ways_of_naming_are_told_for_path_tokens),
    cmocka_unit_test(output_that_does_not_fit_is_left_out_whole),
};
SGT_MAIN("playlist", tests)
