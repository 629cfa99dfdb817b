/* Reads a CSV file as a manifest of a data set with parts, and as a list of excluded clips. */
#include "frontends/dataset/dataset.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

static void use(dv_dataset *dataset)
{
    static const char *const splits[] = {"official", "random", "speaker", "fold:1/2"};
    const char **speakers;
    size_t count;
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
        dv_data_config config;
        fuzz_must(dv_fields_default(dv_data_fields, &config));
        strcpy(config.split, splits[i]);
        (void)dv_dataset_split(dataset, &config);
    }
    if (dv_dataset_speakers(dataset, &speakers, &count) == DV_OK)
        free(speakers);
    (void)dv_dataset_fingerprint(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dv_dataset dataset;
    const char *path = fuzz_file("clips.csv", data, size);
    if (dv_dataset_open(path, &dataset) != DV_OK)
        return 0;
    use(&dataset);
    (void)dv_dataset_exclude(&dataset, path);
    dv_dataset_free(&dataset);
    return 0;
}
