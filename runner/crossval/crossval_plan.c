/* Plans a cross-validation: the folds, the seeds, the runs with their configurations, and the
   common folder. */
#include "engine/base/folder.h"
#include "engine/base/input_file.h"
#include "engine/base/text.h"
#include "engine/base/yaml.h"
#include "engine/device/threads.h"
#include "runner/crossval/crossval.h"
#include "runner/experiment/output.h"
#include "runner/experiment/run_folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLD_NAME_SIZE = 32 };

static const int64_t most_seed = 4294967295; /* largest train.seed */

/* ---- Folds ---- */

/* Makes a fold of each speaker. */
static dv_status folds_by_speaker(const dv_dataset *dataset, dv_crossval *out)
{
    const char **names;
    size_t count;
    dv_status status = dv_dataset_speakers(dataset, &names, &count);
    if (status == DV_ECONFIG)
        return DV_FAIL(DV_EARG, "--folds speaker: %s; --folds K makes K parts without speakers",
                       dv_error_message());
    DV_TRY(status);
    if (count < 2)
        DV_TRY_GOTO(DV_FAIL(DV_EARG,
                            "--folds speaker: the clips in %s have %zu speaker%s with "
                            "names, at least 2 are needed; --folds K makes K parts",
                            out->data, count, dv_plural(count)));
    if (count > DV_CROSSVAL_MOST_FOLDS)
        DV_TRY_GOTO(DV_FAIL(DV_EARG,
                            "--folds speaker: %s has %zu speakers, at most %d can be left "
                            "out one by one; --folds K makes K parts",
                            out->data, count, DV_CROSSVAL_MOST_FOLDS));
    out->by_speaker = true;
    DV_TRY_GOTO(dv_calloc(count, sizeof *out->folds, &out->folds));
    for (size_t i = 0; i < count; i++) {
        DV_TRY_GOTO(dv_strdup(names[i], &out->folds[i]));
        out->fold_count++;
    }
fail:
    free(names);
    return status;
}

static dv_status folds_by_part(const char *text, const dv_dataset *dataset, dv_crossval *out)
{
    int64_t count;
    if (!dv_parse_int(text, &count))
        return DV_FAIL(DV_EARG, "--folds: expected 'speaker' or a number of parts, got '%s'", text);
    if (count < 2 || count > DV_CROSSVAL_MOST_FOLDS)
        return DV_FAIL(DV_EARG, "--folds: the number of parts is %s, must be 2 to %d", text,
                       DV_CROSSVAL_MOST_FOLDS);
    if ((size_t)count > dataset->count)
        return DV_FAIL(DV_EARG, "--folds: there are %s parts for the %zu clips in %s", text,
                       dataset->count, out->data);
    DV_TRY(dv_calloc((size_t)count, sizeof *out->folds, &out->folds));
    for (int64_t i = 0; i < count; i++) {
        char name[FOLD_NAME_SIZE];
        snprintf(name, sizeof name, "fold-%" PRId64, i + 1);
        DV_TRY(dv_strdup(name, &out->folds[i]));
        out->fold_count++;
    }
    return DV_OK;
}

static dv_status find_folds(const char *text, const dv_experiment *experiment, dv_crossval *out)
{
    dv_data_config data = experiment->data;
    if (data.path[0] == '\0')
        return DV_FAIL(DV_ECONFIG, "there are no data: give --data PATH, a folder of sound files "
                                   "or a manifest, or set data.path");
    strcpy(data.split, "train"); /* lists all clips, without parts for now */
    data.more = NULL;            /* is never tested, so it has no folds */
    dv_dataset dataset;
    DV_TRY(dv_dataset_prepare(&data, &dataset));
    out->clips = (int64_t)dataset.count;
    out->fingerprint = dv_dataset_fingerprint(&dataset); /* before folds change the clips' parts */
    dv_status status =
        dv_dataset_sound_fingerprint(&dataset, "", dv_physical_cores(), &out->sounds);
    if (status == DV_OK)
        status = strcmp(text, "speaker") == 0 ? folds_by_speaker(&dataset, out)
                                              : folds_by_part(text, &dataset, out);
    dv_dataset_free(&dataset);
    return status;
}

/* ---- Seeds ---- */

static dv_status add_seed(void *user, char *text)
{
    dv_crossval *out = user;
    int64_t seed;
    if (!dv_parse_int(text, &seed) || seed < 0 || seed > most_seed)
        return DV_FAIL(DV_EARG, "'%.80s' is not a whole number from 0 to %" PRId64, text,
                       most_seed);
    for (size_t i = 0; i < out->seed_count; i++) {
        if (out->seeds[i] == seed)
            return DV_FAIL(DV_EARG, "the seed %" PRId64 " is there twice", seed);
    }
    if (out->seed_count == DV_CROSSVAL_MOST_SEEDS)
        return DV_FAIL(DV_EARG, "there are more than %d seeds", DV_CROSSVAL_MOST_SEEDS);
    out->seeds[out->seed_count++] = seed;
    return DV_OK;
}

static dv_status parse_seeds(const char *text, dv_crossval *out)
{
    DV_TRY(dv_calloc(DV_CROSSVAL_MOST_SEEDS, sizeof *out->seeds, &out->seeds));
    dv_status status = dv_each_item(text, add_seed, out);
    return status == DV_EARG ? dv_fail_within(status, "--seeds '%.80s'", text) : status;
}

/* ---- Runs ---- */

/* Makes a character safe in the name of a folder. Names of speakers in a manifest may have any
   printable characters. */
static char harmless(char c, bool first)
{
    return c == '/' || (first && c == '.') ? '_' : c;
}

static dv_status name_folder(const dv_crossval *all, dv_crossval_run *run)
{
    const char *fold = all->folds[run->fold];
    size_t size = strlen(all->folder) + strlen(fold) + FOLD_NAME_SIZE;
    DV_TRY(dv_calloc(size, 1, &run->folder));
    int start = snprintf(run->folder, size, "%s/", all->folder);
    char *name = run->folder + start;
    for (size_t i = 0; fold[i] != '\0'; i++)
        name[i] = harmless(fold[i], i == 0);
    snprintf(name + strlen(fold), size - (size_t)start - strlen(fold), "-seed-%" PRId64,
             all->seeds[run->seed]);
    return DV_OK;
}

/* Lists all folds of the first seed, then those of the next, and so on. Fails if the names of two
   speakers give the same folder. */
static dv_status list_runs(dv_crossval *out)
{
    DV_TRY(dv_calloc(out->seed_count * out->fold_count, sizeof *out->runs, &out->runs));
    for (size_t seed = 0; seed < out->seed_count; seed++) {
        for (size_t fold = 0; fold < out->fold_count; fold++) {
            dv_crossval_run *run = &out->runs[out->run_count++];
            *run = (dv_crossval_run){.fold = fold, .seed = seed};
            DV_TRY(name_folder(out, run));
        }
    }
    for (size_t i = 0; i < out->fold_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(out->runs[i].folder, out->runs[k].folder) == 0)
                return DV_FAIL(DV_EARG,
                               "--folds speaker: the speakers '%s' and '%s' would both have the "
                               "folder %s",
                               out->folds[k], out->folds[i], out->runs[i].folder);
        }
    }
    return DV_OK;
}

static const char fold_mark[] = "{fold}", seed_mark[] = "{seed}";

static bool begins_with(const char *text, const char *mark)
{
    return strncmp(text, mark, strlen(mark)) == 0;
}

/* The keys of the section `train` in which {fold} and {seed} are replaced. */
static const char *const filled_in[] = {"init_from", "teacher"};
enum { FILLED_IN = sizeof filled_in / sizeof filled_in[0] };

static const char *text_of(const dv_experiment *experiment, const char *key)
{
    return (const char *)&experiment->train + dv_fields_find(dv_train_fields, key)->offset;
}

/*
 * Replaces {fold} and {seed} in `text`, the value of `key`. It is done in one pass, so a fold named
 * "{seed}" is not replaced again. Both are taken from the name of the run's folder, FOLD-seed-S, in
 * which the fold's name keeps its length.
 */
static dv_status fill_in(const dv_crossval *all, const dv_crossval_run *run, const char *key,
                         const char *text, char out[DV_STRING_SIZE])
{
    const char *fold = strrchr(run->folder, '/') + 1;
    const size_t fold_length = strlen(all->folds[run->fold]);
    const char *seed = fold + fold_length + strlen("-seed-");
    size_t length = 0;
    for (const char *at = text; *at != '\0';) {
        bool is_fold = begins_with(at, fold_mark), is_seed = begins_with(at, seed_mark);
        const char *part = is_fold ? fold : is_seed ? seed : at;
        size_t part_length = is_fold ? fold_length : is_seed ? strlen(seed) : 1;
        if (length + part_length >= DV_STRING_SIZE)
            return DV_FAIL(DV_EARG,
                           "train.%s has more than %d bytes with fold %s and seed %s: %.60s...",
                           key, DV_STRING_SIZE - 1, all->folds[run->fold], seed, text);
        memcpy(out + length, part, part_length);
        length += part_length;
        at += is_fold ? strlen(fold_mark) : is_seed ? strlen(seed_mark) : 1;
    }
    out[length] = '\0';
    return DV_OK;
}

/* Checks the replaced texts of all runs before the first run begins. */
static dv_status check_files(const dv_crossval *all, const char *key, const char *text)
{
    char files[DV_STRING_SIZE];
    for (size_t i = 0; i < all->run_count; i++)
        DV_TRY(fill_in(all, &all->runs[i], key, text, files));
    for (size_t i = 0; i < all->fold_count; i++) {
        if (strstr(text, fold_mark) != NULL && strchr(all->folds[i], ',') != NULL)
            return DV_FAIL(DV_EARG,
                           "train.%s: %s cannot be '%s', since a comma ends the name of a file "
                           "there",
                           key, fold_mark, all->folds[i]);
    }
    return DV_OK;
}

static dv_status copy_text(const char *what, const char *text, char out[DV_STRING_SIZE])
{
    if (snprintf(out, DV_STRING_SIZE, "%s", text) >= DV_STRING_SIZE)
        return DV_FAIL(DV_EARG, "%s is too long: '%.40s...'", what, text);
    return DV_OK;
}

dv_status dv_crossval_plan(const char *folds, const char *seeds, const char *folder,
                           const dv_experiment *experiment, dv_crossval *out)
{
    dv_status status;
    char standard[DV_STRING_SIZE];
    *out = (dv_crossval){.lock = -1};
    snprintf(out->model, sizeof out->model, "%s", dv_experiment_model_name(experiment));
    snprintf(standard, sizeof standard, "runs/crossval-%.100s-%.20s", out->model, folds);
    DV_TRY_GOTO(copy_text("data.path", experiment->data.path, out->data));
    DV_TRY_GOTO(copy_text("--out", folder[0] != '\0' ? folder : standard, out->folder));
    DV_TRY_GOTO(parse_seeds(seeds, out));
    DV_TRY_GOTO(find_folds(folds, experiment, out));
    DV_TRY_GOTO(list_runs(out));
    for (int i = 0; i < FILLED_IN; i++)
        DV_TRY_GOTO(check_files(out, filled_in[i], text_of(experiment, filled_in[i])));
    return DV_OK;
fail:
    dv_crossval_free(out);
    return status;
}

void dv_crossval_free(dv_crossval *all)
{
    for (size_t i = 0; i < all->run_count; i++) {
        free(all->runs[i].folder);
        free(all->runs[i].error);
    }
    for (size_t i = 0; i < all->fold_count; i++)
        free(all->folds[i]);
    free(all->runs);
    free(all->folds);
    free(all->seeds);
    if (all->lock >= 0)
        close(all->lock);
    *all = (dv_crossval){.lock = -1};
}

dv_status dv_crossval_path(const dv_crossval_run *run, const char *file, char **out)
{
    size_t size = strlen(run->folder) + strlen(file) + 2;
    DV_TRY(dv_calloc(size, 1, out));
    snprintf(*out, size, "%s/%s", run->folder, file);
    return DV_OK;
}

/* ---- Configurations ---- */

static dv_status set_text(dv_tree *tree, const char *path, const char *text)
{
    dv_tree *node;
    DV_TRY(dv_tree_new_scalar(text, NULL, 0, &node));
    return dv_tree_set(tree, path, node);
}

static dv_status set_number(dv_tree *tree, const char *path, int64_t number)
{
    char text[FOLD_NAME_SIZE];
    snprintf(text, sizeof text, "%" PRId64, number);
    return set_text(tree, path, text);
}

static dv_status set_null(dv_tree *tree, const char *path)
{
    dv_tree *node;
    DV_TRY(dv_tree_new(DV_TREE_NULL, NULL, 0, &node));
    return dv_tree_set(tree, path, node);
}

static dv_status set_run(const dv_crossval *all, const dv_crossval_run *run, dv_tree *tree)
{
    char split[2 * DV_STRING_SIZE];
    if (all->by_speaker)
        snprintf(split, sizeof split, "leave_one_out:%s", all->folds[run->fold]);
    else
        snprintf(split, sizeof split, "fold:%zu/%zu", run->fold + 1, all->fold_count);
    DV_TRY(set_text(tree, "data.split", split));
    return set_number(tree, "train.seed", all->seeds[run->seed]);
}

static dv_status set_files(const dv_crossval *all, const dv_crossval_run *run, dv_experiment *out)
{
    for (int i = 0; i < FILLED_IN; i++) {
        char files[DV_STRING_SIZE];
        const char *text = text_of(out, filled_in[i]);
        DV_TRY(fill_in(all, run, filled_in[i], text, files));
        if (strcmp(files, text) != 0)
            DV_TRY(dv_experiment_set_files(out, filled_in[i], files));
    }
    return DV_OK;
}

dv_status dv_crossval_experiment(const dv_crossval *all, const dv_crossval_run *run,
                                 const dv_experiment *experiment, dv_experiment *out)
{
    dv_tree *tree;
    DV_TRY(dv_tree_copy(experiment->tree, &tree));
    dv_status status = set_run(all, run, tree);
    if (status == DV_OK)
        status = dv_experiment_restore(tree, out);
    dv_tree_free(tree);
    if (status == DV_OK) {
        status = set_files(all, run, out);
        if (status != DV_OK)
            dv_experiment_free(out);
    }
    return status;
}

static dv_status set_mark(dv_tree *tree, const char *path, uint64_t mark)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, mark);
    return set_text(tree, path, text);
}

/* Writes the common configuration of the runs of a folder. Data are identified by their marks and
   not by their path, because they may have moved. */
static dv_status describe(const dv_crossval *all, dv_tree *tree)
{
    DV_TRY(set_null(tree, "data.path"));
    DV_TRY(set_null(tree, "data.split"));
    DV_TRY(set_null(tree, "train.seed"));
    if (all->by_speaker)
        DV_TRY(set_text(tree, "crossval.folds", "speaker"));
    else
        DV_TRY(set_number(tree, "crossval.folds", (int64_t)all->fold_count));
    DV_TRY(set_number(tree, "crossval.clips", all->clips));
    DV_TRY(set_mark(tree, "crossval.data", all->fingerprint));
    return set_mark(tree, "crossval.sounds", all->sounds);
}

/* Reads the text of a file. The caller owns *out, which is NULL if there is no file. */
static dv_status read_text(const char *path, char **out)
{
    FILE *file;
    *out = NULL;
    if (access(path, F_OK) != 0)
        return DV_OK;
    DV_TRY(dv_input_open(path, &file));
    dv_status status = dv_calloc(DV_YAML_MAX_SIZE + 1, 1, out);
    if (status == DV_OK && fread(*out, 1, DV_YAML_MAX_SIZE, file) < DV_YAML_MAX_SIZE &&
        ferror(file))
        status = DV_FAIL(DV_EIO, "cannot read %s: %s", path, strerror(errno));
    fclose(file);
    if (status != DV_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

/* Reads the folder's config.yaml without the path of the data, which may change. A file of an older
   version, without a mark of the sounds, gets the present mark. *out is NULL if there is no file.
 */
static dv_status read_before(const dv_crossval *all, const char *path, char **out)
{
    dv_tree *tree;
    DV_TRY(read_text(path, out));
    if (*out == NULL || dv_yaml_parse(*out, strlen(*out), path, &tree) != DV_OK)
        return DV_OK; /* the text as it is differs from every configuration */
    if (tree->kind != DV_TREE_MAP) {
        dv_tree_free(tree);
        return DV_OK;
    }
    const dv_tree *marks = dv_tree_get(tree, "crossval");
    dv_status status = set_null(tree, "data.path");
    if (status == DV_OK && marks != NULL && dv_tree_get(marks, "sounds") == NULL)
        status = set_mark(tree, "crossval.sounds", all->sounds);
    free(*out);
    *out = NULL;
    if (status == DV_OK)
        status = dv_yaml_write(tree, out);
    dv_tree_free(tree);
    return status;
}

/* Fails with the first line in which the texts differ. */
static dv_status fail_other(const char *folder, const char *before, const char *now)
{
    while (*before != '\0' && strcspn(before, "\n") == strcspn(now, "\n") &&
           strncmp(before, now, strcspn(before, "\n") + 1) == 0) {
        before += strcspn(before, "\n") + 1;
        now += strcspn(now, "\n") + 1;
    }
    before += strspn(before, " ");
    now += strspn(now, " ");
    return DV_FAIL(DV_EARG,
                   "%s holds runs of another configuration: '%.*s' there, and '%.*s' now; choose "
                   "another --out",
                   folder, (int)strcspn(before, "\n"), before, (int)strcspn(now, "\n"), now);
}

/* Refuses a folder without a cross-validation in which the name of the summary is taken by a file
   that decavox did not write. */
static dv_status check_summary(const dv_crossval *all)
{
    char path[DV_RUN_PATH_SIZE];
    snprintf(path, sizeof path, "%s/crossval.json", all->folder);
    dv_outputs outputs = {
        .list = {{"--out", path, DV_OUTPUT_JSON}}, .count = 1, .force = all->force};
    return dv_outputs_check(&outputs);
}

/* Writes config.yaml into a folder that has none. An existing one must have the same content. */
static dv_status compare_or_write(const dv_crossval *all, const dv_tree *tree)
{
    dv_status status;
    dv_run_folder folder = {.log = NULL};
    char path[DV_RUN_PATH_SIZE], *now = NULL, *before = NULL;
    snprintf(folder.path, sizeof folder.path, "%s", all->folder);
    dv_run_folder_path(&folder, "config.yaml", path);
    dv_run_sweep(all->folder);
    DV_TRY_GOTO(dv_yaml_write(tree, &now));
    DV_TRY_GOTO(read_before(all, path, &before));
    if (before == NULL)
        status = check_summary(all);
    if (before == NULL && status == DV_OK)
        status = dv_run_write_tree(&folder, "config.yaml", tree);
    else if (before != NULL && strcmp(before, now) != 0)
        status = fail_other(all->folder, before, now);
fail:
    free(now);
    free(before);
    return status;
}

dv_status dv_crossval_claim(dv_crossval *all, const dv_experiment *experiment)
{
    DV_TRY(dv_make_folders(all->folder));
    DV_TRY(dv_lock_folder(all->folder, "a cross-validation is at work there", &all->lock));
    dv_tree *tree;
    DV_TRY(dv_tree_copy(experiment->tree, &tree));
    dv_status status = describe(all, tree);
    if (status == DV_OK)
        status = compare_or_write(all, tree);
    dv_tree_free(tree);
    return status;
}
