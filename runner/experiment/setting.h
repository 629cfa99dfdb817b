/* Settings: a key of the configuration and its value as a text, "train.epochs=3". */
#ifndef DV_EXPERIMENT_SETTING_H
#define DV_EXPERIMENT_SETTING_H

#include "engine/base/field.h"

/* The field at a path of a configuration. NULL: none is known, and a list or a map may be there. */
typedef const dv_field *(*dv_field_of)(const char *path);

/*
 * Lays the value of the key `path` over `overrides`. A list or a map is written as YAML has it in
 * one line. Where the key takes one value alone, a text that begins with [ or { is that value.
 * `source` stands for the file in messages. DV_EARG, DV_ECONFIG.
 */
dv_status dv_setting_lay(const char *path, const char *value, dv_field_of field_of,
                         const char *source, dv_tree *overrides);

/* The same of "KEY=VALUE", where a text in quotes is YAML, too. Messages name `source`, then the
   key. */
dv_status dv_setting_take(const char *text, dv_field_of field_of, const char *source,
                          dv_tree *overrides);

#endif
