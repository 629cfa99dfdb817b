/* JSON that the program reads back: a run's report, in the summary of a cross-validation of two
   runs with the same report, and the measurements that `compare` caches. */
#include "runner/compare/comparison.h"
#include "runner/crossval/crossval.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 600 };

/* ---- Reports of runs ---- */

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

/* ---- The measurements that `compare` caches ---- */

static const dv_comparison_options options = {.device = "cpu", .seconds = 0.1, .classes = 10};
static const dv_comparison comparison = {.options = &options,
                                         .threads = 1,
                                         .machine = "machine",
                                         .libraries = "libraries",
                                         .program = "program"};
static const dv_model_figures measured = {.content = "content",
                                          .date = "2026-01-01T00:00:00Z",
                                          .p50 = 1e-3,
                                          .p99 = 2e-3,
                                          .throughput = 1e3,
                                          .batch = 8};

/* Caches measurements below `folder`, an absolute path, and finds the file, whose name is a
   digest. */
static void keep(const char *folder, const dv_model_figures *model, char path[PATH_SIZE])
{
    char pattern[PATH_SIZE];
    glob_t found;
    if (folder[0] != '/' || setenv("XDG_CACHE_HOME", folder, 1) != 0)
        fuzz_must(
            DV_FAIL(DV_EARG, "%s: no folder for caches", folder)); /* never use the user's cache */
    dv__model_figures_keep(&comparison, model);
    snprintf(pattern, sizeof pattern, "%s/decavox/*.json", folder);
    if (glob(pattern, 0, NULL, &found) != 0)
        fuzz_must(DV_FAIL(DV_EIO, "no %s", pattern));
    snprintf(path, PATH_SIZE, "%s", found.gl_pathv[0]);
    globfree(&found);
}

static void remove_kept(const char *folder, const char *path)
{
    char caches[PATH_SIZE];
    snprintf(caches, sizeof caches, "%s/decavox", folder);
    remove(path);
    rmdir(caches);
}

void fuzz_write_seeds(const char *folder)
{
    char path[PATH_SIZE], seed[PATH_SIZE];
    keep(folder, &measured, path);
    snprintf(seed, sizeof seed, "%s/kept", folder);
    if (rename(path, seed) != 0)
        fuzz_must(DV_FAIL(DV_EIO, "no %s", seed));
    remove_kept(folder, path);
}

/* Recalls measurements from a file with the content of `report`. Recalled ones must be the same
   after they are kept again. */
static void recall(const char *folder, const char *report)
{
    char path[PATH_SIZE];
    dv_model_figures model = measured;
    keep(folder, &model, path);
    if (rename(report, path) != 0)
        fuzz_must(DV_FAIL(DV_EIO, "no %s", report));
    if (dv__model_figures_recall(&comparison, &model)) {
        keep(folder, &model, path);
        if (!dv__model_figures_recall(&comparison, &model))
            fuzz_must(DV_FAIL(DV_EFORMAT, "kept measurements are not recalled"));
    }
    remove_kept(folder, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[512];
    const char *path = fuzz_file("report.json", data, size);
    size_t length = (size_t)(strrchr(path, '/') - path);
    memcpy(folder, path, length);
    folder[length] = '\0';
    summarize(folder);
    recall(folder, path);
    return 0;
}
