/* Configuration files: whatever it is, a right configuration or a report, never both, never
 * neither. */
#include "base/alloc.h"
#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char memory[65536];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sg_config *config = NULL;
    struct sg_str text = {(const char *)bytes, len};
    enum sg_err err = sg_config_parse("f", "/nonexistent", text, &report, &config);
    SG_ASSERT((err == SG_OK) == (config != NULL));
    SG_ASSERT(err == SG_OK || err == SG_ECONFIG);
    if (err == SG_ECONFIG)
        SG_ASSERT(report.full || (report.len > 3 && memory[report.len - 1] == '\n'));
    if (config != NULL) {
        SG_ASSERT(report.len == 0 && config->listeners_count > 0 && config->sites_count > 0);
        for (uint32_t i = 0; i < config->sites_count; i++)
            SG_ASSERT(config->sites[i].name != NULL && config->sites[i].origin != NULL);
    }
    sg_config_free(config);
    return 0;
}
