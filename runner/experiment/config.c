/* Configurations of the public API: a file, its settings, and the resolved result. */
#include "runner/experiment/config.h"
#include "engine/base/locale.h"
#include "engine/base/yaml.h"
#include "runner/experiment/home.h"
#include "runner/experiment/setting.h"

#include <stdlib.h>
#include <string.h>

struct dv_config {
    char path[DV_HOME_PATH_SIZE];
    dv_tree *overrides; /* DV_TREE_MAP; owned */
    dv_experiment experiment;
    char *text; /* the resolved configuration, owned */
};

/* Reads the configuration's file with the overrides, and writes the resolved configuration into
 *text. The caller owns both. */
static dv_status read_file(const char *path, const dv_tree *overrides, dv_experiment *experiment,
                           char **text)
{
    locale_t before = dv_locale_enter();
    dv_status status = dv_experiment_read(path, overrides, experiment);
    if (status == DV_OK) {
        status = dv_yaml_write(experiment->tree, text);
        if (status != DV_OK)
            dv_experiment_free(experiment);
    }
    dv_locale_leave(before);
    return status;
}

/* Reads the file with `overrides` and replaces the content of `config`. On failure `config` stays
   unchanged; on success it owns `overrides`. */
static dv_status read_with(dv_config *config, dv_tree *overrides)
{
    dv_experiment experiment;
    char *text;
    DV_TRY(read_file(config->path, overrides, &experiment, &text));
    dv_experiment_free(&config->experiment);
    if (config->overrides != overrides)
        dv_tree_free(config->overrides);
    free(config->text);
    config->experiment = experiment;
    config->overrides = overrides;
    config->text = text;
    return DV_OK;
}

dv_status dv_config_open(const char *path, dv_config **out)
{
    dv_config *config;
    *out = NULL;
    if (strlen(path) >= DV_HOME_PATH_SIZE)
        return DV_FAIL(DV_EARG, "the path of the configuration is too long: '%.60s...'", path);
    DV_TRY(dv_calloc(1, sizeof *config, &config));
    dv_home_file(path, config->path, sizeof config->path);
    dv_status status = dv_tree_new(DV_TREE_MAP, NULL, 0, &config->overrides);
    if (status == DV_OK)
        status = read_with(config, config->overrides);
    if (status == DV_OK)
        *out = config;
    else
        dv_config_free(config);
    return status;
}

void dv_config_free(dv_config *config)
{
    if (config == NULL)
        return;
    dv_experiment_free(&config->experiment);
    dv_tree_free(config->overrides);
    free(config->text);
    free(config);
}

dv_status dv_config_set(dv_config *config, const char *const *settings, size_t count)
{
    dv_tree *overrides;
    DV_TRY(dv_tree_copy(config->overrides, &overrides));
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < count; i++)
        status = dv_setting_take(settings[i], dv_experiment_field, "setting", overrides);
    if (status == DV_OK)
        status = read_with(config, overrides);
    if (status != DV_OK)
        dv_tree_free(overrides);
    return status;
}

const char *dv_config_text(const dv_config *config)
{
    return config->text;
}

const dv_experiment *dv_config_experiment(const dv_config *config)
{
    return &config->experiment;
}
