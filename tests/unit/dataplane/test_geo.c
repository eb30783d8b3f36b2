#include "tests/sgt.h"

#include "base/alloc.h"
#include "dataplane/gate/geo.h"
#include "tests/sgt_mmdb.h"
#include "tests/unit/dataplane/gate_world.h"

static const struct sgt_mmdb_row countries[] = {{"192.0.2.0", 24, "DE", 0},
                                                {"198.51.100.0", 25, "fr", 0},
                                                {"2001:db8::", 32, "JP", 0},
                                                {"203.0.113.0", 24, "EUR", 0}};
static const struct sgt_mmdb_row systems[] = {{"192.0.2.0", 24, NULL, 64496},
                                              {"2001:db8::", 32, NULL, 4200000000u}};

static char country_file[SGT_DIR_BYTES + 16], asn_file[SGT_DIR_BYTES + 16];

static void write_dbs(const struct world *w, enum sgt_mmdb_layout layout)
{
    snprintf(country_file, sizeof(country_file), "%.500s/country", w->dir);
    snprintf(asn_file, sizeof(asn_file), "%.500s/asn", w->dir);
    sgt_mmdb_write(country_file, layout, countries, SG_COUNT(countries));
    sgt_mmdb_write(asn_file, SGT_MMDB_ASN, systems, SG_COUNT(systems));
}

static void come_from(struct world *w, const char *address)
{
    assert_int_equal(inet_pton(AF_INET6, address, &w->peer.remote.sin6_addr), 1);
}

static void both_layouts_tell_the_country_of_both_families(void **fixture)
{
    static const struct {
        const char *address, *code;
    } rows[] = {{"::ffff:192.0.2.1", "DE"},      {"::ffff:192.0.3.1", NULL},
                {"::ffff:198.51.100.127", "FR"}, {"::ffff:198.51.100.128", NULL},
                {"2001:db8:ffff::1", "JP"},      {"2001:db9::1", NULL},
                {"::ffff:203.0.113.1", NULL}}; /* not two letters */
    struct world *w = *fixture;
    for (int layout = SGT_MMDB_MAXMIND; layout <= SGT_MMDB_FLAT; layout++) {
        struct sgd_mmdb *db = NULL;
        write_dbs(w, (enum sgt_mmdb_layout)layout);
        assert_int_equal(sgd_mmdb_open(country_file, &db), SG_OK);
        for (size_t i = 0; i < SG_COUNT(rows); i++) {
            struct in6_addr address;
            char code[2] = "";
            uint32_t asn;
            inet_pton(AF_INET6, rows[i].address, &address);
            assert_int_equal(sgd_mmdb_country(db, &address, code),
                             rows[i].code != NULL ? SG_OK : SG_ENOENT);
            if (rows[i].code != NULL)
                assert_memory_equal(code, rows[i].code, 2);
            assert_int_equal(sgd_mmdb_asn(db, &address, &asn), SG_ENOENT);
        }
        sgd_mmdb_close(db);
    }
}

static void an_autonomous_system_is_told(void **fixture)
{
    struct world *w = *fixture;
    struct sgd_mmdb *db = NULL;
    struct in6_addr address;
    uint32_t asn = 0;
    write_dbs(w, SGT_MMDB_FLAT);
    assert_int_equal(sgd_mmdb_open(asn_file, &db), SG_OK);
    inet_pton(AF_INET6, "2001:db8::1", &address);
    assert_int_equal(sgd_mmdb_asn(db, &address, &asn), SG_OK);
    assert_true(asn == 4200000000u);
    sgd_mmdb_close(db);
}

static void what_is_no_database_is_told(void **fixture)
{
    struct world *w = *fixture;
    struct sgd_mmdb *db = NULL;
    assert_int_equal(sgd_mmdb_open("/nowhere/country", &db), SG_ENOENT);
    assert_int_equal(sgd_mmdb_open(w->secret_file, &db), SG_ECORRUPT);
    sg_alloc_fail_nth(0);
    assert_int_equal(sgd_mmdb_open(w->secret_file, &db), SG_ENOMEM);
    assert_null(db);
}

static void a_site_s_countries_are_judged_public_or_not(void **fixture)
{
    struct world *w = *fixture;
    static const char *const de[] = {"de"}, *const fr[] = {"FR", "JP"};
    static const struct {
        const char *address;
        enum sgd_gate_verdict allow_de, deny_fr;
    } rows[] = {
        {"::ffff:192.0.2.1", SGD_GATE_public, SGD_GATE_public},
        {"::ffff:198.51.100.1", SGD_GATE_country, SGD_GATE_country},
        {"::ffff:127.0.0.1", SGD_GATE_country, SGD_GATE_public}, /* from nowhere known */
    };
    write_dbs(w, SGT_MMDB_MAXMIND);
    w->config.gate.country_db = country_file;
    w->site = WORLD_PUBLIC;
    for (int deny = 0; deny < 2; deny++) {
        struct sg_conf_geo *geo = &w->sites[WORLD_PUBLIC].geo;
        *geo = deny ? (struct sg_conf_geo){.deny = (const char **)fr, .deny_count = 2}
                    : (struct sg_conf_geo){.allow = (const char **)de, .allow_count = 1};
        world_open_gate(w);
        assert_int_equal(w->report.len, 0);
        for (size_t i = 0; i < SG_COUNT(rows); i++) {
            come_from(w, rows[i].address);
            for (int again = 0; again < 2; again++) /* looked up, then from the cache */
                assert_int_equal(world_verdict(w), deny ? rows[i].deny_fr : rows[i].allow_de);
        }
        w->req.peer = NULL;
        assert_int_equal(world_verdict(w), deny ? SGD_GATE_public : SGD_GATE_country);
        w->req.peer = &w->peer;
    }
    w->sites[WORLD_GATED].geo = w->sites[WORLD_PUBLIC].geo;
    world_open_gate(w);
    w->site = WORLD_GATED; /* a good token does not buy a way around it */
    come_from(w, "::ffff:198.51.100.1");
    assert_int_equal(world_verdict(w), SGD_GATE_country);
    come_from(w, "::ffff:192.0.2.1");
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
}

static void a_token_s_countries_and_systems_are_judged_on_every_request(void **fixture)
{
    struct world *w = *fixture;
    memcpy(w->claims.countries[0], "JP", 2);
    memcpy(w->claims.countries[1], "DE", 2);
    w->claims.countries_count = 2;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_country); /* no database: nobody's country */
    write_dbs(w, SGT_MMDB_FLAT);
    w->config.gate.country_db = country_file;
    w->config.gate.asn_db = asn_file;
    world_open_gate(w);
    come_from(w, "::ffff:192.0.2.1");
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
    come_from(w, "::ffff:198.51.100.1");
    assert_int_equal(world_verdict(w), SGD_GATE_country);
    world_default_claims(w);
    w->claims.networks[0].asn = 64496;
    w->claims.networks_count = 1;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_network);
    come_from(w, "::ffff:192.0.2.1");
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
}

static void a_country_is_two_letters_of_any_case(void **fixture)
{
    static const char *const bad[] = {"", "D", "DEU", "D1", "[E", "\xc4\xd6"};
    struct sgd_countries set = {{0}};
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(sgd_countries_add(&set, sg_str_from(bad[i])));
    assert_true(sgd_countries_add(&set, SG_STR("ZZ")) && sgd_countries_add(&set, SG_STR("aa")));
    assert_true(sgd_countries_has(&set, "zz") && sgd_countries_has(&set, "AA"));
    assert_false(sgd_countries_has(&set, "AB"));
    assert_false(sgd_countries_has(&set, "\0\0"));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    WORLD_TEST(both_layouts_tell_the_country_of_both_families),
    WORLD_TEST(an_autonomous_system_is_told),
    WORLD_TEST(what_is_no_database_is_told),
    WORLD_TEST(a_site_s_countries_are_judged_public_or_not),
    WORLD_TEST(a_token_s_countries_and_systems_are_judged_on_every_request),
    WORLD_TEST(a_country_is_two_letters_of_any_case),
};
SGT_MAIN("geo", tests)
