/* Settings: a key of the configuration and its value as text, for example "train.epochs=3". */
#ifndef DV_EXPERIMENT_SETTING_H
#define DV_EXPERIMENT_SETTING_H

#include "engine/base/field.h"

/* Returns the field at a path of a configuration, or NULL if the path is not that of a known field;
   its value may then be a list or a map. */
typedef const dv_field *(*dv_field_of)(const char *path);

/*
 * Sets the key `path` of `overrides` to a value. A list or a map is written as YAML in one line. If
 * the key takes a single value, a text that begins with [ or { is taken literally. Messages name
 * `source` instead of a file. Returns DV_EARG or DV_ECONFIG.
 */
dv_status dv_setting_lay(const char *path, const char *value, dv_field_of field_of,
                         const char *source, dv_tree *overrides);

/* Like dv_setting_lay, for a text "KEY=VALUE"; a value in quotes is also read as YAML. Messages
   name `source`, then the key. */
dv_status dv_setting_take(const char *text, dv_field_of field_of, const char *source,
                          dv_tree *overrides);

#endif
