/* config - what the operator wrote, checked and with every default filled in. One immutable
 * snapshot per load; threads reach the current one through the worker (dataplane). The structs
 * below are filled by libcyaml from the table in config_schema.c, which is also what the file is
 * checked by and where docs/configuration.md comes from: a key is added in two places, struct and
 * table (and the lint suite compares the doc). Sizes are bytes, times carry their unit. Strings
 * are UTF-8, NUL-terminated, owned by the snapshot; an optional one is NULL. File names are whole:
 * relative ones begin at the file's own folder. */
#ifndef SG_BASE_CONFIG_H
#define SG_BASE_CONFIG_H

#include "base/err.h"
#include "base/out.h"

#include <stdbool.h>
#include <stdint.h>

enum sg_conf_engine { SG_CONF_ENGINE_URING, SG_CONF_ENGINE_DPDK };
enum sg_conf_tls_version { SG_CONF_TLS12, SG_CONF_TLS13 };
enum sg_conf_ktls { SG_CONF_KTLS_AUTO, SG_CONF_KTLS_OFF, SG_CONF_KTLS_ON };
enum sg_conf_record_crypto { SG_CONF_CRYPTO_AUTO, SG_CONF_CRYPTO_IPSEC_MB, SG_CONF_CRYPTO_OPENSSL };
enum sg_conf_query {
    SG_CONF_QUERY_ALL,
    SG_CONF_QUERY_NONE,
    SG_CONF_QUERY_LISTED,
    SG_CONF_QUERY_SORTED
};
enum sg_conf_access { SG_CONF_ACCESS_PUBLIC, SG_CONF_ACCESS_TOKEN, SG_CONF_ACCESS_CLOSED };
enum sg_conf_sign_in { SG_CONF_SIGN_IN_RULE, SG_CONF_SIGN_IN_ANY, SG_CONF_SIGN_IN_OFF };
enum sg_conf_finality { SG_CONF_FINALITY_SAFE, SG_CONF_FINALITY_FINALIZED, SG_CONF_FINALITY_DEPTH };
enum sg_conf_on_stale { SG_CONF_STALE_REFUSE, SG_CONF_STALE_SHORTEN, SG_CONF_STALE_SERVE };

struct sg_conf_node {
    const char *name;      /* default: the host's name */
    const char *region;    /* default "local" */
    const char *pop;       /* default "local" */
    uint32_t workers;      /* 0: one a core */
    bool pin_workers;      /* worker i on core i (of those allowed); default true */
    const char *user;      /* dropped to after binding; NULL: stay as started */
    const char *state_dir; /* LMDB environments and what must survive */
    const char *run_dir;   /* admin socket, log ring, counters */
    uint32_t drain_s;      /* how long SIGTERM waits for transfers under way */
    const char *seal_key;  /* as sg_secret_unlock() takes it; NULL: no file is sealed */
};

struct sg_conf_certificate {
    const char *cert_file; /* PEM, leaf first */
    const char *key_file;  /* PEM */
    const char *ocsp_file; /* DER response to staple; optional, re-read when it changes */
};

struct sg_conf_tls {
    struct sg_conf_certificate *certificates; /* chosen by SNI; the first is the default */
    uint32_t certificates_count;
    enum sg_conf_tls_version min_version;
    const char
        *ticket_key_file; /* 80 B a key, newest first, shared by nodes; NULL: made at start */
    uint32_t ticket_rotate_s;
    uint32_t ticket_lifetime_s;
    enum sg_conf_ktls ktls;
    enum sg_conf_record_crypto record_crypto;
};

#define SG_CONF_LISTENERS_MAX 64

struct sg_conf_listener {
    const char *address; /* "0.0.0.0:443", "[::]:443" */
    enum sg_conf_engine engine;
    struct sg_conf_tls *tls;     /* NULL: plain */
    const char **proxy_protocol; /* networks whose connections must start with PROXY v2 */
    uint32_t proxy_protocol_count;
    const char **forwarded; /* networks whose Forwarded header is believed */
    uint32_t forwarded_count;
    uint32_t backlog;
};

struct sg_conf_admin {
    const char *socket;  /* Unix socket; default run_dir/admin.sock */
    const char *address; /* loopback only: Prometheus, liveness, readiness; NULL: off */
};

struct sg_conf_bus {
    const char *url; /* "embedded:", "nats://host:port[,host:port]"; NULL: embedded where needed */
    const char *creds_file, *ca_file, *cert_file, *key_file;
    uint32_t replicas; /* 0: as many as the servers allow, up to 3 */
};

struct sg_conf_limits {
    uint32_t connections;             /* a node */
    uint32_t connections_per_address; /* IPv4 address or IPv6 /64 */
    uint32_t connections_per_tenant;  /* 0: no limit */
    uint32_t requests_per_token;      /* at the same time; 0: no limit */
    uint32_t header_bytes;            /* request line and fields together; 1 KiB .. 64 KiB */
    uint32_t header_fields;
    uint64_t body_bytes;           /* of a request passed through to the origin */
    uint32_t header_timeout_ms;    /* first byte of a head to its last */
    uint32_t handshake_timeout_ms; /* accept to TLS finished */
    uint32_t keepalive_timeout_ms; /* between requests */
    uint32_t send_timeout_ms;      /* without any progress: TCP_USER_TIMEOUT */
    uint32_t send_rate_min; /* bytes a second over 30 s, below which a reader is dropped; 0: off */
    uint32_t requests_per_connection;
    uint32_t grants_per_address_per_minute; /* sign-ins; IPv4 address or IPv6 /64 */
    uint32_t grants_per_tenant_per_minute;  /* 0: no limit */
    uint32_t pinned_bytes_per_connection;
    uint64_t pinned_bytes_per_worker;
};

struct sg_conf_cache {
    uint64_t ram_bytes;
    const char *disk_path; /* a file (made) or a block device; NULL: no disk tier */
    uint64_t disk_bytes;
    uint32_t slice_bytes;  /* how objects are cut: 64 KiB .. 1 MiB, a power of two */
    bool disk_second_hit;  /* only what is asked for a second time goes to disk */
    bool hugepages;        /* hugetlb arena; falls back to pages and says so */
    uint64_t object_bytes; /* larger responses pass through uncached */
};

struct sg_conf_public_key {
    const char *key_file; /* PEM: P-256, secp256k1 or Ed25519 */
};

struct sg_conf_region {
    const char *name;
    const char *secret_file;
};
#define SG_CONF_REGIONS_MAX 8

struct sg_conf_tenant {
    const char *name;
    uint32_t cache_share_percent; /* of RAM and of disk; 0: no own share, all compete */
    const char *secret_file; /* the region's secret, from which K_tenant comes (TOKEN claims) */
    struct sg_conf_region *regions; /* others whose tokens are taken, for when they fail */
    uint32_t regions_count;
    uint32_t stale_limit_s; /* age of the ownership feed and of the chain's head */
    enum sg_conf_on_stale on_stale;
    uint32_t token_lifetime_s;
    uint32_t provisional_s; /* of tokens that rest on what is not safe yet; 0: none are minted */
    const char **sign_in_domains; /* pages that wallets may sign in on, beside the site's host */
    uint32_t sign_in_domains_count;
    struct sg_conf_public_key *issuers; /* back ends whose grants are taken */
    uint32_t issuers_count;
    uint32_t clock_skew_s;
};

struct sg_conf_origin_url {
    const char *url; /* scheme://host[:port][/base]; http, https */
    uint32_t weight; /* 1 .. 1000 */
    bool backup;     /* only when no other is healthy */
};

struct sg_conf_health {
    const char *path; /* NULL: no active checks */
    uint32_t interval_ms;
    uint32_t timeout_ms;
    uint32_t rise; /* successes until up */
    uint32_t fall; /* failures until down */
    uint32_t status_min, status_max;
};

struct sg_conf_signing {          /* AWS Signature Version 4 */
    const char *access_key_file;  /* one line */
    const char *secret_key_file;  /* one line */
    const char *region, *service; /* service defaults to "s3" */
};

struct sg_conf_origin {
    const char *name;
    struct sg_conf_origin_url *urls;
    uint32_t urls_count;
    const char *host_header; /* NULL: the URL's */
    uint32_t connect_timeout_ms;
    uint32_t first_byte_timeout_ms;
    uint32_t idle_timeout_ms; /* between bytes */
    uint32_t retries;         /* on another URL where there is one */
    uint32_t connections_max;
    struct sg_conf_health health;
    bool tls_verify;
    const char *ca_file;
    const char *client_cert_file, *client_key_file;
    struct sg_conf_signing *signing;
    bool shield; /* this origin is another StreamGate node: identify to it and trust its Age */
};

struct sg_conf_ttl {
    uint32_t status; /* 404, 503 ... */
    uint32_t ttl_s;
};

struct sg_conf_cors {
    const char **origins; /* "*" or exact origins */
    uint32_t origins_count;
    bool credentials;
    uint32_t max_age_s;
};

struct sg_conf_geo {
    const char **allow; /* ISO 3166 alpha-2; empty: all */
    uint32_t allow_count;
    const char **deny;
    uint32_t deny_count;
};

struct sg_conf_site_cache {
    bool enabled;
    uint32_t default_ttl_s; /* where the response says nothing: 0 = heuristic of RFC 9111 4.2.2 */
    uint32_t min_ttl_s;     /* 0: off. Overrides what the origin says: only for one's own origin */
    uint32_t max_ttl_s;     /* 0: off */
    struct sg_conf_ttl *negative; /* a TTL by status where the response gives none */
    uint32_t negative_count;
    uint32_t stale_while_revalidate_s; /* where the response says nothing */
    uint32_t stale_if_error_s;         /* where the response says nothing */
    bool ignore_client_no_cache; /* Cache-Control and Pragma of a viewer don't force a fetch */
    enum sg_conf_query query;
    const char **query_params; /* for listed; sorted into the key */
    uint32_t query_params_count;
    const char **tag_headers; /* Surrogate-Key, Cache-Tag, xkey; Cache-Groups is always read */
    uint32_t tag_headers_count;
    bool range_fill; /* fetch only the slices asked for */
    uint32_t prefetch_segments;
};

struct sg_conf_site {
    const char *name;
    const char *tenant;
    const char **hosts; /* exact, "*.example.org", or "*" */
    uint32_t hosts_count;
    const char *path;        /* prefix with a leading slash; the longest that matches wins */
    const char *origin;      /* an origin's name */
    const char *origin_path; /* replaces `path` towards the origin; NULL: as it came */
    struct sg_conf_site_cache cache;
    const char **forward_headers; /* request fields that go to the origin beside the fixed few */
    uint32_t forward_headers_count;
    const char **methods; /* that pass through beyond GET and HEAD; "*": all */
    uint32_t methods_count;
    struct sg_conf_cors *cors;
    enum sg_conf_access access;
    enum sg_conf_sign_in sign_in;
    const char *rule;            /* a rule's name; NULL: none, so nobody signs in by one */
    const char *list_proofs_url; /* where players find proofs for list(); NULL: not told */
    struct sg_conf_geo geo;
    const char **add_response_headers; /* "Name: value" */
    uint32_t add_response_headers_count;
};

struct sg_conf_rule {
    const char *name;
    const char *tenant;  /* whose sites may name it, whose allow lists it means */
    uint32_t version;    /* raised with each change: tokens of a lower one are refused */
    const char *require; /* docs/rules.md */
};

struct sg_conf_chain_server {
    const char *url;         /* http, https */
    const char *ws_url;      /* ws, wss; NULL: no subscription */
    const char *fields_file; /* "Authorization: Bearer ..." lines; NULL: none */
    const char *ca_file;     /* PEM; NULL: the system's */
};

struct sg_conf_chain_contract {
    const char *asset;         /* CAIP-19 without an id */
    uint64_t first_block;      /* 0: found out */
    const char *proof_slot;    /* NULL: owners are not proven */
    const char *balances_slot; /* NULL: how many an ERC-721's owners have is not proven */
};

struct sg_conf_chain {
    const char *id; /* CAIP-2 */
    struct sg_conf_chain_server *servers;
    uint32_t servers_count;
    uint32_t agree;       /* how many servers must say the same */
    uint32_t calls_per_s; /* to each server; 0: no limit */
    bool check_headers;
    uint32_t timeout_ms;
    enum sg_conf_finality finality;
    uint32_t depth; /* of finality depth */
    uint32_t poll_ms;
    uint32_t late_s; /* age of the head's own time past which the chain stands still; 0: any */
    uint32_t range_blocks;
    struct sg_conf_chain_contract *contracts; /* beside those that rules name */
    uint32_t contracts_count;
    const char *delegate_registry; /* NULL: delegations are not followed */
};

struct sg_conf_log {
    uint32_t ring_records; /* a worker; a power of two */
    const char *level;
    bool addresses; /* full client addresses in the log; default: IPv4 /24, IPv6 /48 */
};

struct sg_conf_gate {
    const char *country_db; /* mmdb */
    const char *asn_db;
    uint32_t verdict_cache_entries;            /* a worker */
    uint32_t verify_threads;                   /* that check grants */
    uint32_t verify_queue;                     /* grants under way, a worker */
    const char *countersign_key;               /* NULL: chains are asked about no signature */
    uint32_t on_chain_per_tenant_per_minute;   /* such questions; 0: no limit */
    struct sg_conf_public_key *countersigners; /* control planes that asked a chain for us */
    uint32_t countersigners_count;
};

struct sg_config {
    uint32_t revision; /* of a signed one: no lower one is taken afterwards (node/trust.h) */
    struct sg_conf_node node;
    struct sg_conf_listener *listeners;
    uint32_t listeners_count;
    struct sg_conf_admin admin;
    struct sg_conf_bus bus;
    struct sg_conf_limits limits;
    struct sg_conf_cache cache;
    struct sg_conf_gate gate;
    struct sg_conf_log log;
    struct sg_conf_tenant *tenants;
    uint32_t tenants_count;
    struct sg_conf_rule *rules;
    uint32_t rules_count;
    struct sg_conf_origin *origins;
    uint32_t origins_count;
    struct sg_conf_site *sites;
    uint32_t sites_count;
    struct sg_conf_chain *chains;
    uint32_t chains_count;
};

/* Reads, checks, completes. On failure every mistake found is a line "FILE:LINE: KEY: what is
 * wrong, what would be right" in `report` (always terminated by a newline each). Blocks; control
 * threads only. The caller owns *out: sg_config_free(). */
SG_MUST_USE enum sg_err sg_config_load(const char *file, struct sg_out *report,
                                       struct sg_config **out);
/* What is found later, when files are opened and rules compiled: copies the lines of `found` to
 * `report`, and puts "FILE:LINE: " before each that begins with a key ("rules[2].require: ..."). */
void sg_config_place(const char *file, struct sg_str found, struct sg_out *report);
/* sg_config_load(), if `judge` answers SG_OK to the file's bytes, which are then what is read. Else
 * its answer; it says why in the report. */
SG_MUST_USE enum sg_err
sg_config_load_judged(const char *file,
                      enum sg_err (*judge)(void *ctx, struct sg_str bytes, struct sg_out *report),
                      void *ctx, struct sg_out *report, struct sg_config **out);
/* The same of bytes at hand: `file` is what the report calls them, `folder` where relative file
 * names begin. */
SG_MUST_USE enum sg_err sg_config_parse(const char *file, const char *folder, struct sg_str bytes,
                                        struct sg_out *report, struct sg_config **out);
/* Accepts NULL. */
void sg_config_free(struct sg_config *config);

#endif
