/* config_shape - holds a YAML document against the schema: reports what does not fit, takes it out,
 * and fills in every default, so that what is left can be loaded whatever was wrong with it. */
#ifndef SG_BASE_CONFIG_SHAPE_H
#define SG_BASE_CONFIG_SHAPE_H

#include "base/config_report.h"
#include "base/config_schema.h"

#include <stdio.h>

/* `folder`: where relative paths begin. SG_ENOMEM is the only failure; mistakes are the report's.
 */
SG_MUST_USE enum sg_err sg_conf_shape(struct sg_conf_report *report, const char *folder);
/* Writes the document as one line of flow YAML, without aliases. */
void sg_conf_shape_write(struct sg_yaml *yaml, FILE *to);

#endif
