#include "base/config_schema.h"

#include "base/assert.h"
#include "base/config.h"

#include <stddef.h>

#define MEMBER_BYTES(type, member) (uint32_t)sizeof(((struct type *)NULL)->member)
#define AT(type, member)                                                                           \
    .name = #member, .offset = (uint32_t)offsetof(struct type, member),                            \
    .bytes = MEMBER_BYTES(type, member)
#define LIST_AT(type, member)                                                                      \
    AT(type, member), .count_offset = (uint32_t)offsetof(struct type, member##_count)

/* Each row: where it lies, what may stand there, what an absent key means, and the doc's words. */
#define UINT(type, member, least, most, def, text, ...)                                            \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_UINT, .min = (least), .max = (most), .fallback = (def),  \
                          .doc = (text), __VA_ARGS__                                               \
    }
#define SIZE(type, member, least, most, def, text, ...)                                            \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_SIZE, .min = (least), .max = (most), .fallback = (def),  \
                          .doc = (text), __VA_ARGS__                                               \
    }
#define BOOL(type, member, def, text, ...)                                                         \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_BOOL, .fallback = (def), .doc = (text), __VA_ARGS__      \
    }
#define ENUM(type, member, words, def, text, ...)                                                  \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_ENUM, .names = (words), .fallback = (def),               \
                          .doc = (text), __VA_ARGS__                                               \
    }
#define STRING(type, member, shape, def, text, ...)                                                \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_STRING, .form = SG_CONF_FORM_##shape, .fallback = (def), \
                          .doc = (text), __VA_ARGS__                                               \
    }
#define PATH(type, member, shape, def, text, ...)                                                  \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_PATH, .form = SG_CONF_FORM_##shape, .fallback = (def),   \
                          .doc = (text), __VA_ARGS__                                               \
    }
#define STRINGS(type, member, shape, def, text, ...)                                               \
    {                                                                                              \
        LIST_AT(type, member), .kind = SG_CONF_STRINGS, .form = SG_CONF_FORM_##shape,              \
                               .max = LIST_MAX, .fallback = (def), .doc = (text), __VA_ARGS__      \
    }
#define MAP(type, member, group, text)                                                             \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_MAP, .map = &(group), .doc = (text)                      \
    }
#define MAP_PTR(type, member, group, text)                                                         \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_MAP_PTR, .map = &(group), .doc = (text)                  \
    }
#define MAPS(type, member, group, text)                                                            \
    {                                                                                              \
        LIST_AT(type, member), .kind = SG_CONF_MAPS, .map = &(group), .max = LIST_MAX,             \
                               .doc = (text)                                                       \
    }
/* The same, and the key must be there. */
#define NEED_STRING(type, member, shape, text)                                                     \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_STRING, .form = SG_CONF_FORM_##shape, .required = true,  \
                          .doc = (text)                                                            \
    }
#define NEED_PATH(type, member, shape, text)                                                       \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_PATH, .form = SG_CONF_FORM_##shape, .required = true,    \
                          .doc = (text)                                                            \
    }
#define NEED_ENUM(type, member, words, text)                                                       \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_ENUM, .names = (words), .required = true, .doc = (text)  \
    }
#define NEED_UINT(type, member, least, most, text)                                                 \
    {                                                                                              \
        AT(type, member), .kind = SG_CONF_UINT, .min = (least), .max = (most), .required = true,   \
                          .doc = (text)                                                            \
    }
#define NEED_STRINGS(type, member, shape, text)                                                    \
    {                                                                                              \
        LIST_AT(type, member), .kind = SG_CONF_STRINGS, .form = SG_CONF_FORM_##shape, .min = 1,    \
                               .max = LIST_MAX, .required = true, .doc = (text)                    \
    }
#define NEED_MAPS_UPTO(type, member, group, most, text)                                            \
    {                                                                                              \
        LIST_AT(type, member), .kind = SG_CONF_MAPS, .map = &(group), .min = 1, .max = (most),     \
                               .required = true, .doc = (text)                                     \
    }
#define NEED_MAPS(type, member, group, text) NEED_MAPS_UPTO(type, member, group, LIST_MAX, text)

#define GROUP(type, text)                                                                          \
    static const struct sg_conf_map type##_map = {#type, (uint32_t)sizeof(struct type),            \
                                                  type##_keys, SG_COUNT(type##_keys), text}

/* Counts from the next start only. */
#define FIXED .fixed = true

#define LIST_MAX 4096
#define KIB      (1ull << 10)
#define MIB      (1ull << 20)
#define TIB      (1ull << 40)
#define HOUR_MS  3600000u
#define DAY_S    86400u
#define YEAR_S   31536000u
#define U32      UINT32_MAX

static const char *const engines[] = {"uring", "dpdk", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const ktls_choices[] = {"auto", "off", "on", NULL};
static const char *const crypto_choices[] = {"auto", "ipsec-mb", "openssl", NULL};
static const char *const query_policies[] = {"all", "none", "listed", "sorted", NULL};
static const char *const access_rules[] = {"public", "token", "closed", NULL};
static const char *const sign_in_choices[] = {"rule", "any", "off", NULL};
static const char *const finalities[] = {"safe", "finalized", "depth", NULL};
static const char *const stale_choices[] = {"refuse", "shorten", "serve", NULL};

static const struct sg_conf_key sg_conf_node_keys[] = {
    STRING(sg_conf_node, name, NAME, NULL,
           "The node's name in logs, `Via` and `Cache-Status`. Absent: the host's name.", FIXED),
    STRING(sg_conf_node, region, NAME, "local", "The region whose keys and ownership feed it uses.",
           FIXED),
    STRING(sg_conf_node, pop, NAME, "local", "The point of presence it stands in.", FIXED),
    UINT(sg_conf_node, workers, 0, 64, "0",
         "Worker threads. 0: one for each core that the process may use.", FIXED),
    BOOL(sg_conf_node, pin_workers, "true", "Bind each worker to a core of its own.", FIXED),
    STRING(sg_conf_node, user, ANY, NULL,
           "The user to become once the listeners are bound, when started as root. Absent: stay "
           "as started.",
           FIXED),
    PATH(sg_conf_node, state_dir, ANY, "/var/lib/streamgate",
         "What must survive a restart: purges, ownership, revocations, the content index.", FIXED),
    PATH(sg_conf_node, run_dir, ANY, "/run/streamgate",
         "The admin socket, the request ring and the counters; on a RAM file system if it can be.",
         FIXED),
    UINT(sg_conf_node, drain_s, 0, DAY_S, "30",
         "How long transfers under way may still take after SIGTERM."),
    STRING(
        sg_conf_node, seal_key, ANY, NULL,
        "What unseals files that `sgctl key seal` made, wherever a file with a secret or a private "
        "key is named: `file:PATH`, `credential:NAME` of systemd, or `pkcs11:...`, a key in a "
        "token "
        "([operations.md](operations.md)). Absent: none is sealed."),
};
GROUP(sg_conf_node, "Who this node is and where it keeps things.");

static const struct sg_conf_key sg_conf_certificate_keys[] = {
    NEED_PATH(sg_conf_certificate, cert_file, CERTIFICATE,
              "PEM, the leaf first, then its chain. Read again at every reload."),
    NEED_PATH(sg_conf_certificate, key_file, PRIVATE_KEY,
              "PEM, without a passphrase. Must stay readable after root was dropped."),
    PATH(sg_conf_certificate, ocsp_file, FILE, NULL,
         "A DER OCSP response to staple; read again when it changes."),
};
GROUP(sg_conf_certificate, "A certificate and its key.");

static const struct sg_conf_key sg_conf_tls_keys[] = {
    NEED_MAPS(sg_conf_tls, certificates, sg_conf_certificate_map,
              "Chosen by SNI and by the key types that the viewer takes; the first is the default. "
              "ECDSA and RSA may stand side by side for one name."),
    ENUM(sg_conf_tls, min_version, tls_versions, "1.2",
         "The oldest version of TLS that is spoken."),
    PATH(sg_conf_tls, ticket_key_file, FILE, NULL,
         "Keys for session tickets, shared by nodes: 80 bytes a key, the newest first. Absent: "
         "made at start, so tickets do not outlive the process."),
    UINT(sg_conf_tls, ticket_rotate_s, 60, YEAR_S, "14400", "How often a new ticket key is made."),
    UINT(sg_conf_tls, ticket_lifetime_s, 60, 7 * DAY_S, "43200", "How long a ticket may be used."),
    ENUM(sg_conf_tls, ktls, ktls_choices, "auto",
         "Kernel TLS for sending. auto: where the kernel has it; on: refuse to start without."),
    ENUM(sg_conf_tls, record_crypto, crypto_choices, "auto",
         "What encrypts records in the node itself. auto: the faster one, measured at start.",
         FIXED),
};
GROUP(sg_conf_tls, "TLS of a listener. Absent: the listener speaks plain HTTP.");

static const struct sg_conf_key sg_conf_listener_keys[] = {
    NEED_STRING(
        sg_conf_listener, address, ADDRESS,
        "Where to listen. `[::]` takes IPv6 alone: for both, `0.0.0.0` is listed beside it."),
    ENUM(sg_conf_listener, engine, engines, "uring",
         "What moves the bytes: uring (kernel sockets) or dpdk (own packets).", FIXED),
    MAP_PTR(sg_conf_listener, tls, sg_conf_tls_map, "Absent: plain HTTP."),
    STRINGS(sg_conf_listener, proxy_protocol, NETWORK, NULL,
            "Networks whose connections must begin with a PROXY v2 header; it then says who the "
            "viewer is, for limits, networks, countries and the log."),
    STRINGS(
        sg_conf_listener, forwarded, NETWORK, NULL,
        "Proxies whose `Forwarded` field (RFC 7239) tells the viewer, for gate, log and limits."),
    UINT(sg_conf_listener, backlog, 1, 65535, "4096",
         "Connections the kernel may hold unaccepted."),
};
GROUP(sg_conf_listener, "An address on which viewers are served.");

static const struct sg_conf_key sg_conf_admin_keys[] = {
    PATH(sg_conf_admin, socket, ANY, NULL,
         "Where `sgctl` talks to the node. Absent: `admin.sock` in node.run_dir.", FIXED),
    STRING(sg_conf_admin, address, LOOPBACK, NULL,
           "Where /metrics, /healthz and /readyz are served besides. Absent: on the socket only.",
           FIXED),
};
GROUP(sg_conf_admin, "How the node is watched and told what to do.");

static const struct sg_conf_key sg_conf_bus_keys[] = {
    STRING(sg_conf_bus, url, ANY, NULL,
           "`nats://host:port`, more servers of the cluster after commas, `tls://` for TLS; or "
           "`embedded:`, within this process and `bus` in node.state_dir. Absent: embedded where "
           "something needs a bus, else none.",
           FIXED),
    PATH(sg_conf_bus, creds_file, FILE, NULL,
         "NATS credentials of this node; sealed ones are read at start.", FIXED),
    PATH(sg_conf_bus, ca_file, FILE, NULL, "PEM: whose certificate the servers must have.", FIXED),
    PATH(sg_conf_bus, cert_file, FILE, NULL, "PEM: this node's own certificate.", FIXED),
    PATH(sg_conf_bus, key_file, FILE, NULL, "PEM: the key of cert_file.", FIXED),
    UINT(sg_conf_bus, replicas, 0, 5, "0",
         "Of streams and values. 0: as many as the servers allow, up to 3.", FIXED),
};
GROUP(sg_conf_bus, "How the nodes of a region talk: the ownership feed goes this way.");

static const struct sg_conf_key sg_conf_limits_keys[] = {
    UINT(sg_conf_limits, connections, 1, 4000000, "16384", "Connections of the whole node.", FIXED),
    UINT(sg_conf_limits, connections_per_address, 1, U32, "1024",
         "Connections of one IPv4 address or one IPv6 /64."),
    UINT(sg_conf_limits, connections_per_tenant, 0, U32, "0",
         "Connections of a tenant. 0: no limit."),
    UINT(sg_conf_limits, requests_per_token, 0, U32, "0",
         "Requests with the same token, or another of its grant, at the same time. 0: no limit."),
    SIZE(sg_conf_limits, header_bytes, KIB, 64 * KIB, "16KiB",
         "A request's line and fields together; larger ones get 431."),
    UINT(sg_conf_limits, header_fields, 8, 128, "100", "Fields of a request; more get 431."),
    SIZE(sg_conf_limits, body_bytes, 0, TIB, "16MiB",
         "The body of a request that is passed through to the origin."),
    UINT(sg_conf_limits, header_timeout_ms, 100, HOUR_MS, "10000",
         "From the first byte of a request's head to its last."),
    UINT(sg_conf_limits, handshake_timeout_ms, 100, HOUR_MS, "10000",
         "From a connection's accept to the end of its TLS handshake."),
    UINT(sg_conf_limits, keepalive_timeout_ms, 100, 24 * HOUR_MS, "60000", "Between two requests."),
    UINT(sg_conf_limits, send_timeout_ms, 100, HOUR_MS, "30000",
         "Without a single byte acknowledged by the viewer (TCP_USER_TIMEOUT)."),
    UINT(sg_conf_limits, send_rate_min, 0, U32, "1024",
         "Bytes a second, over 30 s, below which a reader is dropped. 0: off."),
    UINT(sg_conf_limits, requests_per_connection, 1, U32, "100000",
         "Requests after which a connection is closed in order."),
    UINT(sg_conf_limits, grants_per_address_per_minute, 1, U32, "600",
         "Requests to sign in, and apart from them to renew, of one IPv4 address or one IPv6 /64; "
         "more get "
         "429. Eight times as many of a /24 or /48."),
    UINT(
        sg_conf_limits, grants_per_tenant_per_minute, 0, U32, "60000",
        "Challenges, sign-ins and renewals of a tenant's viewers, each counted apart. A quarter of "
        "the first two of an IPv4 /16 or IPv6 /32. 0: no limit."),
    SIZE(sg_conf_limits, pinned_bytes_per_connection, 64 * KIB, 64 * MIB, "1MiB",
         "Bytes in flight to one viewer."),
    SIZE(sg_conf_limits, pinned_bytes_per_worker, MIB, TIB, "128MiB",
         "Bytes in flight of one worker; past it sends become small.", FIXED),
};
GROUP(sg_conf_limits, "Bounds that keep one client from taking what belongs to all.");

static const struct sg_conf_key sg_conf_cache_keys[] = {
    SIZE(sg_conf_cache, ram_bytes, 16 * MIB, 4 * TIB, "256MiB", "The RAM tier.", FIXED),
    PATH(sg_conf_cache, disk_path, ANY, NULL,
         "The disk tier: a file, made when absent, or a block device. Absent: RAM only.", FIXED),
    SIZE(sg_conf_cache, disk_bytes, 0, 1024 * TIB, "0",
         "How much of disk_path is used; at least 64MiB where disk_path is set.", FIXED),
    BOOL(sg_conf_cache, disk_second_hit, "false",
         "Write to disk only what is asked for a second time: fewer writes, a colder restart.",
         FIXED),
    {AT(sg_conf_cache, slice_bytes), .kind = SG_CONF_SIZE, .form = SG_CONF_FORM_POWER_OF_TWO, FIXED,
     .min = 64 * KIB, .max = MIB, .fallback = "1MiB",
     .doc = "How objects are cut: a power of two. Small ones suit many ranges, large ones "
            "throughput."},
    BOOL(sg_conf_cache, hugepages, "false",
         "Take the RAM tier from hugetlbfs; falls back to ordinary pages and says so.", FIXED),
    SIZE(sg_conf_cache, object_bytes, 64 * KIB, 16 * TIB, "64GiB",
         "Larger responses pass through uncached."),
};
GROUP(sg_conf_cache, "What the node stores.");

static const struct sg_conf_key sg_conf_public_key_keys[] = {
    NEED_PATH(sg_conf_public_key, key_file, FILE, "PEM: P-256, secp256k1 or Ed25519."),
};
GROUP(sg_conf_public_key, "A public key.");

static const struct sg_conf_key sg_conf_gate_keys[] = {
    PATH(sg_conf_gate, country_db, FILE, NULL,
         "A country database (mmdb), for geo and catgeoiso3166."),
    PATH(sg_conf_gate, asn_db, FILE, NULL, "A database of autonomous systems (mmdb), for catnip."),
    UINT(sg_conf_gate, verdict_cache_entries, 256, 16777216, "16384",
         "Tokens whose verdict a worker remembers.", FIXED),
    UINT(sg_conf_gate, verify_threads, 1, 16, "1",
         "Threads that check wallets' grants, beside the workers and nicer than they.", FIXED),
    UINT(sg_conf_gate, verify_queue, 4, 256, "64",
         "Sign-ins that a worker has under way; more get 429.", FIXED),
    PATH(
        sg_conf_gate, countersign_key, PRIVATE_KEY, NULL,
        "Ed25519, in a file that only its owner may read: signs what the servers of `chains` say "
        "of "
        "smart wallets' signatures. Its public half is among the countersigners, here and on every "
        "node that is to believe it. Absent: no chain is asked here, and smart wallets can sign in "
        "only where another node of the region is asked over the bus."),
    UINT(sg_conf_gate, on_chain_per_tenant_per_minute, 0, U32, "600",
         "Signatures of a tenant's viewers that this node asks chains about, for itself and for "
         "other nodes of the region. 0: no limit."),
    MAPS(sg_conf_gate, countersigners, sg_conf_public_key_map,
         "Keys of the control planes that may vouch for what a chain said of a signature "
         "(EIP-1271, ERC-6492, multisig)."),
};
GROUP(sg_conf_gate, "What the gate looks things up in.");

static const struct sg_conf_key sg_conf_log_keys[] = {
    {AT(sg_conf_log, ring_records), .kind = SG_CONF_UINT, .form = SG_CONF_FORM_POWER_OF_TWO, FIXED,
     .min = 64, .max = 1048576, .fallback = "4096",
     .doc = "Requests a worker's ring holds for readers: a power of two. One takes 0.8 KB."},
    STRING(sg_conf_log, level, LOG_LEVEL, "info", "The least urgent message that is written."),
    BOOL(sg_conf_log, addresses, "false",
         "Whole client addresses in the log. Otherwise IPv4 is cut to /24, IPv6 to /48."),
};
GROUP(sg_conf_log, "What is written down.");

static const struct sg_conf_key sg_conf_region_keys[] = {
    NEED_STRING(sg_conf_region, name, NAME, "The region, as tokens name it."),
    NEED_PATH(sg_conf_region, secret_file, FILE, "Its secret."),
};
GROUP(sg_conf_region, "A region that this node takes over from, or its own under another secret.");

static const struct sg_conf_key sg_conf_tenant_keys[] = {
    NEED_STRING(sg_conf_tenant, name, NAME, "Unique."),
    UINT(sg_conf_tenant, cache_share_percent, 0, 100, "0",
         "What is kept of RAM and of disk for this tenant. 0: it competes with all others.", FIXED),
    PATH(sg_conf_tenant, secret_file, FILE, NULL,
         "The region's secret, from which the keys of this tenant's tokens follow. Needed where a "
         "site of the tenant has access: token."),
    UINT(sg_conf_tenant, stale_limit_s, 1, YEAR_S, "30",
         "How old the ownership feed and the chain's head may be."),
    ENUM(sg_conf_tenant, on_stale, stale_choices, "refuse",
         "Past that: refuse all, shorten what tokens are good for, or serve as before."),
    UINT(sg_conf_tenant, token_lifetime_s, 1, 7 * DAY_S, "3600", "Of tokens that this node mints."),
    UINT(sg_conf_tenant, provisional_s, 0, DAY_S, "0",
         "Of tokens that rest on what is at a chain's head but not safe yet. 0: none are minted."),
    STRINGS(sg_conf_tenant, sign_in_domains, HOST, NULL,
            "Pages, as host or host:port, on which a wallet may sign in beside the site's own "
            "host. A site of every host (`*`) has none of its own but on the loopback."),
    MAPS(sg_conf_tenant, regions, sg_conf_region_map,
         "Other regions whose tokens are taken, up to 8: for a node that serves their viewers when "
         "they fail; or a region's own name once more, while its secret changes. New tokens are "
         "minted under secret_file."),
    MAPS(sg_conf_tenant, issuers, sg_conf_public_key_map,
         "Back ends of the tenant that may issue grants in the place of wallets."),
    UINT(sg_conf_tenant, clock_skew_s, 0, 3600, "60",
         "How far a minter's clock may be ahead, for nbf and iat; exp is exact."),
};
GROUP(sg_conf_tenant, "A customer: its keys, its share, its rules for old knowledge.");

static const struct sg_conf_key sg_conf_origin_url_keys[] = {
    NEED_STRING(sg_conf_origin_url, url, ORIGIN_URL, "Scheme, host, maybe port and a base path."),
    UINT(sg_conf_origin_url, weight, 1, 1000, "1", "Its share among the healthy ones."),
    BOOL(sg_conf_origin_url, backup, "false", "Used only when no other is healthy."),
};
GROUP(sg_conf_origin_url, "One server of an origin.");

static const struct sg_conf_key sg_conf_health_keys[] = {
    STRING(sg_conf_health, path, URL_PATH, NULL,
           "What is asked for to see whether a URL is well. Absent: only real traffic tells."),
    UINT(sg_conf_health, interval_ms, 100, HOUR_MS, "5000", "Between two checks."),
    UINT(sg_conf_health, timeout_ms, 10, HOUR_MS, "2000", "For one check."),
    UINT(sg_conf_health, rise, 1, 100, "2", "Successes in a row until it counts as up."),
    UINT(sg_conf_health, fall, 1, 100, "3", "Failures in a row until it counts as down."),
    UINT(sg_conf_health, status_min, 100, 599, "200", "The lowest status that is a success."),
    UINT(sg_conf_health, status_max, 100, 599, "399", "The highest status that is a success."),
};
GROUP(sg_conf_health, "Active health checks.");

static const struct sg_conf_key sg_conf_signing_keys[] = {
    NEED_PATH(sg_conf_signing, access_key_file, FILE, "One line: the access key's id."),
    NEED_PATH(sg_conf_signing, secret_key_file, FILE, "One line: the secret key."),
    NEED_STRING(sg_conf_signing, region, ANY, "The store's region, such as eu-central-1."),
    STRING(sg_conf_signing, service, ANY, "s3", "The service signed for."),
};
GROUP(sg_conf_signing, "Sign requests with AWS Signature Version 4.");

static const struct sg_conf_key sg_conf_origin_keys[] = {
    NEED_STRING(sg_conf_origin, name, NAME, "Unique; sites name it."),
    NEED_MAPS(sg_conf_origin, urls, sg_conf_origin_url_map, "Where it is."),
    STRING(sg_conf_origin, host_header, HOST, NULL, "Sent as Host, and as SNI. Absent: the URL's."),
    UINT(sg_conf_origin, connect_timeout_ms, 10, HOUR_MS, "3000", "To connect, TLS included."),
    UINT(sg_conf_origin, first_byte_timeout_ms, 10, HOUR_MS, "10000",
         "From the request to the answer's head."),
    UINT(sg_conf_origin, idle_timeout_ms, 10, HOUR_MS, "10000", "Between two reads of the body."),
    UINT(sg_conf_origin, retries, 0, 16, "2",
         "Of a failed fetch, on another URL where there is one."),
    UINT(sg_conf_origin, connections_max, 1, 65535, "256",
         "Fetches at the same time; others wait, as long as connecting may take."),
    MAP(sg_conf_origin, health, sg_conf_health_map, "Active checks."),
    BOOL(sg_conf_origin, tls_verify, "true", "Verify the origin's certificate."),
    PATH(sg_conf_origin, ca_file, CERTIFICATE, NULL,
         "Who may have signed it. Absent: the system's."),
    PATH(sg_conf_origin, client_cert_file, CERTIFICATE, NULL, "Shown to the origin."),
    PATH(sg_conf_origin, client_key_file, PRIVATE_KEY, NULL, "Its key."),
    MAP_PTR(sg_conf_origin, signing, sg_conf_signing_map, "For S3 and what speaks like it."),
    BOOL(sg_conf_origin, shield, "false",
         "It is another StreamGate node: identify to it and believe its Age."),
};
GROUP(sg_conf_origin, "Where content comes from.");

static const struct sg_conf_key sg_conf_ttl_keys[] = {
    NEED_UINT(sg_conf_ttl, status, 300, 599, "The status it is for."),
    NEED_UINT(sg_conf_ttl, ttl_s, 0, YEAR_S, "How long such an answer is fresh."),
};
GROUP(sg_conf_ttl, "A lifetime for one status.");

static const struct sg_conf_key sg_conf_site_cache_keys[] = {
    BOOL(sg_conf_site_cache, enabled, "true", "false: every request goes to the origin."),
    UINT(sg_conf_site_cache, default_ttl_s, 0, YEAR_S, "0",
         "Where a response says nothing about its freshness. 0: the heuristic of RFC 9111, 4.2.2."),
    UINT(sg_conf_site_cache, min_ttl_s, 0, YEAR_S, "0",
         "Overrides what the origin says: for one's own origin only. 0: off."),
    UINT(sg_conf_site_cache, max_ttl_s, 0, YEAR_S, "0", "Cuts what the origin says. 0: off."),
    MAPS(sg_conf_site_cache, negative, sg_conf_ttl_map,
         "Lifetimes by status, where the response gives none."),
    UINT(sg_conf_site_cache, stale_while_revalidate_s, 0, YEAR_S, "0",
         "Where the response says nothing about it."),
    UINT(sg_conf_site_cache, stale_if_error_s, 0, YEAR_S, "0",
         "Where the response says nothing about it."),
    BOOL(sg_conf_site_cache, ignore_client_no_cache, "false",
         "A viewer's Cache-Control and Pragma do not force a fetch."),
    ENUM(sg_conf_site_cache, query, query_policies, "all",
         "Which query parameters are part of the key. all: the query as it came; sorted: all, in "
         "any order; listed: query_params, in any order."),
    STRINGS(sg_conf_site_cache, query_params, ANY, NULL, "For query: listed."),
    STRINGS(sg_conf_site_cache, tag_headers, FIELD_NAME, "Surrogate-Key, Cache-Tag, xkey",
            "Response fields with tags to purge by. Cache-Groups (RFC 9875) is always read."),
    BOOL(sg_conf_site_cache, range_fill, "true",
         "Fetch only the slices that a range asks for, not the whole object."),
    UINT(sg_conf_site_cache, prefetch_segments, 0, 64, "0",
         "Segments of a playlist fetched ahead of the viewer."),
};
GROUP(sg_conf_site_cache, "How a site's responses are stored and reused.");

static const struct sg_conf_key sg_conf_cors_keys[] = {
    NEED_STRINGS(sg_conf_cors, origins, CORS_ORIGIN,
                 "Who may read answers: \"*\" or exact origins."),
    BOOL(sg_conf_cors, credentials, "false", "Allow cookies; not together with \"*\"."),
    UINT(sg_conf_cors, max_age_s, 0, DAY_S, "86400", "How long a preflight may be remembered."),
};
GROUP(sg_conf_cors, "Cross-origin rules. Absent: the origin's own fields pass through.");

static const struct sg_conf_key sg_conf_geo_keys[] = {
    STRINGS(sg_conf_geo, allow, COUNTRY, NULL, "Empty: every country that is not denied."),
    STRINGS(sg_conf_geo, deny, COUNTRY, NULL, "Refused whatever the token says."),
};
GROUP(sg_conf_geo, "From where a site may be watched. Needs gate.country_db.");

static const struct sg_conf_key sg_conf_site_keys[] = {
    NEED_STRING(sg_conf_site, name, NAME, "Unique; in logs and metrics."),
    NEED_STRING(sg_conf_site, tenant, NAME, "A tenant's name."),
    NEED_STRINGS(sg_conf_site, hosts, HOST_PATTERN,
                 "Exact names, \"*.example.org\", or \"*\". An exact one beats a wildcard."),
    STRING(sg_conf_site, path, URL_PATH, "/",
           "A prefix on a segment's border; the longest that matches wins."),
    NEED_STRING(sg_conf_site, origin, NAME, "An origin's name."),
    STRING(sg_conf_site, origin_path, URL_PATH, NULL,
           "Replaces `path` towards the origin. Absent: the path goes on as it came."),
    MAP(sg_conf_site, cache, sg_conf_site_cache_map, "Caching."),
    STRINGS(sg_conf_site, forward_headers, FIELD_NAME, NULL,
            "Request fields that go to the origin beside the fixed few. They are not in the key "
            "unless the response varies on them."),
    STRINGS(sg_conf_site, methods, METHOD, NULL,
            "Passed through beyond GET and HEAD; others get 405 or 501. OPTIONS is answered here "
            "unless "
            "listed. \"*\": any but TRACE and CONNECT."),
    MAP_PTR(sg_conf_site, cors, sg_conf_cors_map, "Cross-origin rules."),
    NEED_ENUM(sg_conf_site, access, access_rules,
              "Who may have it: public (all), token (with a valid edge token), closed (nobody). "
              "There is no default, so that nothing is open by accident."),
    ENUM(sg_conf_site, sign_in, sign_in_choices, "rule",
         "Who may sign in with a wallet, where access is token: rule (whom the site's rule lets "
         "in), any (every account that signs), off (nobody: only tokens minted elsewhere)."),
    STRING(sg_conf_site, rule, NAME, NULL,
           "What an account must hold to sign in: a rule's name, of the same tenant."),
    STRING(sg_conf_site, list_proofs_url, ORIGIN_URL, NULL,
           "Where players find the proofs of an account's places in allow lists: its address and "
           "\".json\" are added. The challenge tells them."),
    MAP(sg_conf_site, geo, sg_conf_geo_map, "By country."),
    STRINGS(sg_conf_site, add_response_headers, FIELD_LINE, NULL, "Fields added to every answer."),
};
GROUP(sg_conf_site, "What is served under a host and path, from where, to whom.");

static const struct sg_conf_key sg_conf_rule_keys[] = {
    NEED_STRING(sg_conf_rule, name, NAME, "Unique."),
    NEED_STRING(sg_conf_rule, tenant, NAME, "A tenant's name."),
    UINT(sg_conf_rule, version, 1, UINT32_MAX, "1",
         "Raise it with each change: tokens that were minted by a lower one are refused."),
    NEED_STRING(sg_conf_rule, require, ANY,
                "What must hold, such as erc721(eip155:1/erc721:0xCONTRACT) and not country(KP): "
                "docs/rules.md has the language."),
};
GROUP(sg_conf_rule, "Who may see what: a condition on what an account holds.");

static const struct sg_conf_key sg_conf_chain_server_keys[] = {
    NEED_STRING(sg_conf_chain_server, url, ORIGIN_URL,
                "JSON-RPC over http or https. Keys that are part of a URL are better in "
                "fields_file."),
    STRING(
        sg_conf_chain_server, ws_url, WS_URL, NULL,
        "The same server by WebSocket: it tells of new blocks, on Solana of what moved, at once. "
        "Absent: it is only asked, every poll_ms."),
    PATH(sg_conf_chain_server, fields_file, FILE, NULL,
         "Lines \"Name: value\" that are sent along, such as an Authorization."),
    PATH(sg_conf_chain_server, ca_file, FILE, NULL,
         "PEM: whose certificate it must have. Absent: the system's."),
};
GROUP(sg_conf_chain_server, "A server of a chain.");

static const struct sg_conf_key sg_conf_chain_contract_keys[] = {
    NEED_STRING(sg_conf_chain_contract, asset, CONTRACT, "Which, and of which standard."),
    UINT(sg_conf_chain_contract, first_block, 0, UINT64_MAX >> 1, "0",
         "The block that it was made in. 0: found out, which needs a server with old states."),
    STRING(
        sg_conf_chain_contract, proof_slot, SLOT, NULL,
        "Where an ERC-721 keeps its mapping from id to owner (OpenZeppelin 5: 2), or an ERC-1155 "
        "its mapping from id to account to balance (0): each change at the head is then proven by "
        "eth_getProof against the block's state root. Absent: it is not."),
    STRING(
        sg_conf_chain_contract, balances_slot, SLOT, NULL,
        "Where an ERC-721 keeps its mapping from account to how many it has (OpenZeppelin 5: 3): "
        "then what each block adds and takes there is proven, too, so a transfer that the logs "
        "leave out is noticed. Absent: it is not."),
};
GROUP(sg_conf_chain_contract, "A contract that is followed whether or not a rule names it.");

static const struct sg_conf_key sg_conf_chain_keys[] = {
    NEED_STRING(sg_conf_chain, id, CHAIN, "CAIP-2."),
    NEED_MAPS(sg_conf_chain, servers, sg_conf_chain_server_map,
              "Whom to ask. None of them is trusted alone where there are several."),
    UINT(sg_conf_chain, agree, 1, 16, "1",
         "How many servers must say the same; more than half of them is right."),
    UINT(sg_conf_chain, calls_per_s, 0, 100000, "0", "To each server. 0: no limit."),
    BOOL(sg_conf_chain, check_headers, "false",
         "Blocks must hash to their hash. Not for chains whose headers have fields of their own."),
    UINT(sg_conf_chain, timeout_ms, 100, 600000, "10000", "Of one call."),
    ENUM(sg_conf_chain, finality, finalities, "safe",
         "What is safe: the servers' safe or finalized block, or a block with depth blocks above."),
    UINT(sg_conf_chain, depth, 0, 100000, "64", "For finality: depth."),
    UINT(sg_conf_chain, poll_ms, 10, 600000, "1000", "How often the head is looked at."),
    UINT(sg_conf_chain, late_s, 0, DAY_S, "300",
         "A head that is older by its own time says that the chain, or all its servers, stand "
         "still: gated content is then as stale. 0: that is not judged."),
    UINT(sg_conf_chain, range_blocks, 1, 10000000, "100000",
         "Blocks of one question about history, at most; what servers refuse is made smaller."),
    MAPS(sg_conf_chain, contracts, sg_conf_chain_contract_map,
         "Followed beside those that rules name."),
    STRING(sg_conf_chain, delegate_registry, EVM_ADDRESS, NULL,
           "delegate.xyz's registry (v2) on this chain, for rules with delegated(). Absent: "
           "delegations are not followed."),
};
GROUP(sg_conf_chain, "A chain whose ownership facts this node follows (docs/chains.md).");

static const struct sg_conf_key root_keys[] = {
    UINT(sg_config, revision, 0, UINT32_MAX, "0",
         "Of a signed configuration: a number that grows with each change, such as 2026012301. A "
         "node that took one takes no lower one. 0: an older one can be put back."),
    MAP(sg_config, node, sg_conf_node_map, "Who this node is and where it keeps things."),
    NEED_MAPS_UPTO(sg_config, listeners, sg_conf_listener_map, SG_CONF_LISTENERS_MAX,
                   "Where viewers are served."),
    MAP(sg_config, admin, sg_conf_admin_map, "How the node is watched and told what to do."),
    MAP(sg_config, bus, sg_conf_bus_map, "How the nodes of a region talk."),
    MAP(sg_config, limits, sg_conf_limits_map, "Bounds."),
    MAP(sg_config, cache, sg_conf_cache_map, "What the node stores."),
    MAP(sg_config, gate, sg_conf_gate_map, "What the gate looks things up in."),
    MAP(sg_config, log, sg_conf_log_map, "What is written down."),
    NEED_MAPS(sg_config, tenants, sg_conf_tenant_map, "The customers."),
    MAPS(sg_config, rules, sg_conf_rule_map, "Who may sign in where access is token."),
    NEED_MAPS(sg_config, origins, sg_conf_origin_map, "Where content comes from."),
    NEED_MAPS(sg_config, sites, sg_conf_site_map, "What is served."),
    MAPS(sg_config, chains, sg_conf_chain_map, "The chains that are followed."),
};
const struct sg_conf_map sg_conf_root = {"sg_config", sizeof(struct sg_config), root_keys,
                                         SG_COUNT(root_keys), "The whole file."};
