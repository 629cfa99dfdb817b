/* Reads a configuration file with the files that it names, reads every section and builds the
   model. The resolved configuration is then read again, as from a checkpoint. */
#include "engine/base/yaml.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

static void restore_again(const dv_experiment *experiment)
{
    dv_tree *tree;
    dv_experiment again;
    char *text;
    fuzz_must(dv_yaml_write(experiment->tree, &text));
    fuzz_must(dv_yaml_parse(text, strlen(text), "resolved", &tree));
    fuzz_must(dv_experiment_restore(tree, &again));
    if (strcmp(dv_experiment_model_name(experiment), dv_experiment_model_name(&again)) != 0)
        fuzz_must(DV_FAIL(DV_EFORMAT, "the model has another name now"));
    dv_experiment_free(&again);
    dv_tree_free(tree);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char base[] = "train: {epochs: 3}\nmodel: mini\n";
    dv_experiment experiment;
    (void)fuzz_file("base.yaml", (const uint8_t *)base, strlen(base)); /* for inputs that name it */
    if (dv_experiment_read(fuzz_file("config.yaml", data, size), NULL, &experiment) != DV_OK)
        return 0;
    (void)fuzz_affords(&experiment.features, experiment.model, FUZZ_CLASSES, NULL);
    restore_again(&experiment);
    fuzz_must(dv_experiment_set_files(&experiment, "init_from", "a=1, b.safetensors"));
    restore_again(&experiment);
    dv_experiment_free(&experiment);
    return 0;
}
