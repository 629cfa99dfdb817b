/* From a configuration to a graph: every section read, the model built. */
#include "engine/io/yaml.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dv_tree *tree;
    dv_experiment experiment;
    if (dv_yaml_parse((const char *)data, size, "input", &tree) != DV_OK)
        return 0;
    if (dv_experiment_restore(tree, &experiment) == DV_OK) {
        (void)fuzz_affords(&experiment.features, experiment.model, FUZZ_CLASSES, NULL);
        dv_experiment_free(&experiment);
    }
    dv_tree_free(tree);
    return 0;
}
