/* JSON that the program reads back: a run's report, in the summary of a cross-validation where two
   runs have the same, and the measurements that `compare` keeps. */
#include "runner/comparison.h"
#include "runner/crossval.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

static void summarize(char *folder)
{
    char *folds[] = {"a", "b"};
    int64_t seeds[] = {1};
    dv_crossval_run runs[] = {{.fold = 0, .folder = folder}, {.fold = 1, .folder = folder}};
    dv_crossval all = {.lock = -1,
                       .folds = folds,
                       .seeds = seeds,
                       .runs = runs,
                       .fold_count = 2,
                       .seed_count = 1,
                       .run_count = 2};
    dv_crossval_summary summary;
    dv_crossval_result result;
    (void)dv_crossval_result_read(&runs[0], &result);
    if (dv_crossval_summarize(&all, &summary) == DV_OK)
        dv_crossval_summary_free(&summary);
}

static void read_figures(const uint8_t *data, size_t size)
{
    json_t *json = json_loadb((const char *)data, size, 0, NULL);
    dv_measured model;
    memset(&model, 0, sizeof model);
    if (json != NULL)
        (void)dv__figures_read(json, &model);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[512];
    const char *path = fuzz_file("report.json", data, size);
    size_t length = (size_t)(strrchr(path, '/') - path);
    memcpy(folder, path, length);
    folder[length] = '\0';
    summarize(folder);
    read_figures(data, size);
    return 0;
}
