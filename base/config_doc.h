/* config_doc - docs/configuration.md, written from the schema: `streamgated --config-doc`. */
#ifndef SG_BASE_CONFIG_DOC_H
#define SG_BASE_CONFIG_DOC_H

#include <stdio.h>

void sg_conf_doc_write(FILE *to);

#endif
