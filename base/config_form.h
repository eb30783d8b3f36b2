/* config_form - what a text in the configuration must look like. Pure, but for the forms that look
 * at a file. */
#ifndef SG_BASE_CONFIG_FORM_H
#define SG_BASE_CONFIG_FORM_H

#include <stdbool.h>

/* FORM(name, check, what would be right) */
#define SG_CONF_FORMS(FORM)                                                                        \
    FORM(ANY, form_any, "any text that is not empty")                                              \
    FORM(NAME, form_name, "1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', such as \"live\"")          \
    FORM(ADDRESS, form_address, "an address and port, such as \"0.0.0.0:443\" or \"[::]:443\"")    \
    FORM(LOOPBACK, form_loopback, "a loopback address and port, such as \"127.0.0.1:9180\"")       \
    FORM(NETWORK, form_network, "a network or address, such as \"10.0.0.0/8\" or \"2001:db8::1\"") \
    FORM(ORIGIN_URL, form_origin_url,                                                              \
         "http:// or https://, a host, and at most a port and a path, such as "                    \
         "\"https://origin.example.org:8443/vod\"")                                                \
    FORM(HOST, form_host, "a host name, such as \"media.example.org\"")                            \
    FORM(HOST_PATTERN, form_host_pattern, "\"media.example.org\", \"*.example.org\" or \"*\"")     \
    FORM(URL_PATH, form_url_path, "a path that begins with '/', without '?', '#' or blanks")       \
    FORM(FIELD_NAME, form_field_name, "a header field's name, such as \"X-Device\"")               \
    FORM(FIELD_LINE, form_field_line, "\"Name: value\"")                                           \
    FORM(COUNTRY, form_country, "two letters of ISO 3166, such as \"DE\"")                         \
    FORM(METHOD, form_method, "a method beyond GET and HEAD, such as POST, or \"*\" for all")      \
    FORM(CORS_ORIGIN, form_cors_origin, "\"*\" or an origin, such as \"https://player.example\"")  \
    FORM(LOG_LEVEL, form_log_level, "error, warning, info or debug")                               \
    FORM(POWER_OF_TWO, form_power_of_two, "a power of two")                                        \
    FORM(FILE, form_file, "a file that this user can read")                                        \
    FORM(CERTIFICATE, form_certificate, "a readable file with a PEM certificate, leaf first")      \
    FORM(PRIVATE_KEY, form_private_key, "a readable file with a PEM private key")                  \
    FORM(CHAIN, form_chain, "a chain's CAIP-2 name, such as \"eip155:1\"")                         \
    FORM(EVM_ADDRESS, form_evm_address,                                                            \
         "0x and 40 hexadecimal digits, or with a right EIP-55 sum")                               \
    FORM(SLOT, form_slot, "a number, or 0x and up to 64 hexadecimal digits")                       \
    FORM(WS_URL, form_ws_url,                                                                      \
         "ws:// or wss://, a host, and at most a port and a path, such as "                        \
         "\"wss://rpc.example.org/ws\"")                                                           \
    FORM(CONTRACT, form_contract,                                                                  \
         "a contract's CAIP-19 name, such as "                                                     \
         "\"eip155:1/erc721:0xbc4ca0eda7647a8ab7c2061c2e118a18a936f13d\"")

enum sg_conf_form {
#define SG_CONF_FORM_ENUM(name, check, right) SG_CONF_FORM_##name,
    SG_CONF_FORMS(SG_CONF_FORM_ENUM)
#undef SG_CONF_FORM_ENUM
};

/* NULL: `text` has that form. Else what is wrong with it, static. */
const char *sg_conf_form_fault(enum sg_conf_form form, const char *text);
/* What would be right; static. */
const char *sg_conf_form_right(enum sg_conf_form form);

/* "4GiB" to 4294967296. False: no size. Writes *bytes only when true. */
bool sg_conf_size_parse(const char *text, unsigned long long *bytes);

#endif
