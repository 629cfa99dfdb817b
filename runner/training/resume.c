/* Resumes a run: checks the changes, and restores the state of the trainer. */
#include "runner/training/resume.h"
#include "engine/base/yaml.h"
#include "frontends/model/choices.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Allowed changes ---- */

/* The paths of data, noise and teachers. They may change, because the marks in the state detect
   other content. */
static const char *const places[] = {"data.path", "data.exclude", "data.more", "augment.noise_path",
                                     "train.teacher"};
enum { PLACES = sizeof places / sizeof places[0], KEY_SIZE = 256 };

static const char pretrain[] = "pretrain.", epochs[] = "train.epochs";

static bool may_change(const char *path)
{
    bool found = strcmp(path, epochs) == 0;
    if (strncmp(path, pretrain, strlen(pretrain)) == 0)
        path += strlen(pretrain);
    for (size_t i = 0; i < PLACES && !found; i++)
        found = strcmp(path, places[i]) == 0;
    return found;
}

/* Checks the keys of the map `changes`. `path` is its path with a final dot, or "" at the top. */
static dv_status check_below(const dv_tree *changes, const char *path)
{
    for (size_t i = 0; i < changes->count; i++) {
        const dv_tree *child = changes->children[i];
        char name[KEY_SIZE], below[KEY_SIZE + 1];
        snprintf(name, sizeof name, "%s%s", path, child->key);
        snprintf(below, sizeof below, "%s.", name);
        if (may_change(name))
            continue;
        if (child->kind != DV_TREE_MAP || child->count == 0)
            return DV_FAIL(
                DV_EARG,
                "a run that is resumed keeps its configuration: %s cannot be set. "
                "--epochs prolongs the run, and --data and --teacher name what has moved; "
                "for all else begin another run with --init_from RUN/model.safetensors",
                name);
        DV_TRY(check_below(child, below));
    }
    return DV_OK;
}

dv_status dv_resume_check(const dv_tree *changes)
{
    return check_below(changes, "");
}

/* The node that a path with one dot names, or NULL. */
static const dv_tree *find(const dv_tree *tree, const char *path)
{
    char section[KEY_SIZE];
    const char *dot = strchr(path, '.');
    snprintf(section, sizeof section, "%.*s", (int)(dot - path), path);
    return dv_tree_get(dv_tree_get(tree, section), dot + 1);
}

static dv_status copy_places(const dv_tree *from, dv_tree *to)
{
    for (size_t i = 0; i < PLACES; i++) {
        const dv_tree *place = find(from, places[i]);
        dv_tree *copy;
        if (place == NULL)
            continue;
        DV_TRY(dv_tree_copy(place, &copy));
        DV_TRY(dv_tree_set(to, places[i], copy));
    }
    return DV_OK;
}

dv_status dv_resume_where(const dv_experiment *experiment, dv_tree **changes)
{
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, changes));
    dv_status status = copy_places(experiment->tree, *changes);
    if (status != DV_OK) {
        dv_tree_free(*changes);
        *changes = NULL;
    }
    return status;
}

/* ---- The configuration ---- */

static dv_status differ(const dv_tree *one, const dv_tree *other, bool *out)
{
    char *text = NULL, *other_text = NULL;
    dv_status status = dv_yaml_write(one, &text);
    if (status == DV_OK)
        status = dv_yaml_write(other, &other_text);
    *out = status == DV_OK && strcmp(text, other_text) != 0;
    free(text);
    free(other_text);
    return status;
}

/* Warns of a config.yaml that differs from the configuration in the checkpoint, which is used. */
static dv_status notice_changes(dv_run_folder *folder, const char *path, const dv_resumed *resumed)
{
    dv_tree *there;
    bool changed;
    if (dv_yaml_read(path, &there) != DV_OK)
        return DV_OK; /* it may have been removed */
    dv_status status = differ(there, resumed->checkpoint.config, &changed);
    if (status == DV_OK && changed)
        dv_run_warn(folder,
                    "%s was changed, and has no effect: the run goes on as it began, with the "
                    "configuration in last.safetensors",
                    path);
    dv_tree_free(there);
    return status;
}

/* Reads the configuration of a run from its checkpoint. A run that ended before its first
   checkpoint begins again from config.yaml. */
static dv_status read_run(dv_run_folder *folder, dv_resumed *out)
{
    char path[DV_RUN_PATH_SIZE], config[DV_RUN_PATH_SIZE];
    dv_run_folder_path(folder, "last.safetensors", path);
    dv_run_folder_path(folder, "config.yaml", config);
    if (!dv_run_has(folder->path, "last.safetensors") && dv_run_has(folder->path, "config.yaml"))
        return dv_experiment_read(config, NULL, &out->experiment);
    DV_TRY(dv_checkpoint_open(path, &out->checkpoint));
    if (out->checkpoint.state == NULL)
        return DV_FAIL(DV_EFORMAT, "%s: holds no state of a training to go on from", path);
    if (dv_experiment_restore(out->checkpoint.config, &out->experiment) != DV_OK)
        return dv_fail_within(DV_EFORMAT, "%s", path);
    return notice_changes(folder, config, out);
}

static dv_status lay(const dv_tree *changes, dv_resumed *out)
{
    dv_tree *tree;
    dv_experiment changed = {.tree = NULL};
    DV_TRY(dv_tree_copy(out->experiment.tree, &tree));
    dv_status status = dv_tree_merge(tree, changes);
    if (status == DV_OK)
        status = dv_experiment_restore(tree, &changed);
    dv_tree_free(tree);
    DV_TRY(status);
    status = differ(out->experiment.tree, changed.tree, &out->changed);
    dv_experiment_free(&out->experiment);
    out->experiment = changed;
    return status;
}

/* ---- A whole configuration ---- */

static dv_status check_same_below(const dv_tree *run, const dv_tree *given, const char *path);

/* Compares the key `name` in two configurations. `one` or `other` is NULL if a configuration has no
   such key. */
static dv_status check_same(const dv_tree *one, const dv_tree *other, const char *name)
{
    bool differs = one == NULL || other == NULL;
    if (may_change(name))
        return DV_OK;
    if (!differs && one->kind == DV_TREE_MAP && other->kind == DV_TREE_MAP) {
        char below[KEY_SIZE + 1];
        snprintf(below, sizeof below, "%s.", name);
        return check_same_below(one, other, below);
    }
    if (!differs)
        DV_TRY(differ(one, other, &differs));
    return differs ? DV_FAIL(DV_EARG,
                             "the run that goes on has another %s than the given configuration, "
                             "which may differ in the place of the data and in train.epochs alone",
                             name)
                   : DV_OK;
}

/* Compares every key of two maps. `path` is their path with a final dot, or "" at the top. */
static dv_status check_same_below(const dv_tree *run, const dv_tree *given, const char *path)
{
    const dv_tree *const maps[] = {run, given};
    for (int m = 0; m < 2; m++) {
        for (size_t i = 0; i < maps[m]->count; i++) {
            const char *key = maps[m]->children[i]->key;
            char name[KEY_SIZE];
            snprintf(name, sizeof name, "%s%s", path, key);
            DV_TRY(check_same(dv_tree_get(run, key), dv_tree_get(given, key), name));
        }
    }
    return DV_OK;
}

static dv_status copy_unless_empty(const dv_tree *node, const char *path, dv_tree *to)
{
    dv_tree *copy;
    bool is_text = node != NULL && node->kind == DV_TREE_SCALAR;
    if (node == NULL || node->kind == DV_TREE_NULL || (is_text && node->text[0] == '\0'))
        return DV_OK;
    DV_TRY(dv_tree_copy(node, &copy));
    return dv_tree_set(to, path, copy);
}

/* Copies the keys that may change. Empty paths are omitted, so that those of the run stay. */
static dv_status copy_changes(const dv_tree *from, dv_tree *to)
{
    const dv_tree *before = dv_tree_get(from, "pretrain");
    for (size_t i = 0; i < PLACES; i++) {
        char path[KEY_SIZE];
        snprintf(path, sizeof path, "%s%s", pretrain, places[i]);
        DV_TRY(copy_unless_empty(find(from, places[i]), places[i], to));
        if (before != NULL)
            DV_TRY(copy_unless_empty(find(before, places[i]), path, to));
    }
    return copy_unless_empty(find(from, epochs), epochs, to);
}

static dv_status lay_whole(const dv_experiment *given, dv_resumed *out)
{
    dv_tree *changes;
    DV_TRY(check_same_below(out->experiment.tree, given->tree, ""));
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &changes));
    dv_status status = copy_changes(given->tree, changes);
    if (status == DV_OK)
        status = lay(changes, out);
    dv_tree_free(changes);
    return status;
}

dv_status dv_resume_read(dv_run_folder *folder, const dv_tree *changes, const dv_experiment *given,
                         dv_resumed *out)
{
    memset(out, 0, sizeof *out);
    DV_TRY(read_run(folder, out));
    out->epochs = out->experiment.train.epochs;
    if (given != NULL)
        DV_TRY(lay_whole(given, out));
    return changes != NULL && changes->count > 0 ? lay(changes, out) : DV_OK;
}

void dv_resumed_free(dv_resumed *resumed)
{
    dv_checkpoint_close(&resumed->checkpoint);
    dv_experiment_free(&resumed->experiment);
}

/* ---- The state ---- */

static dv_status check_labels(const dv_resumed *resumed, const dv_tree *now)
{
    const dv_tree *before = resumed->checkpoint.labels;
    bool same = before->count == now->count;
    for (size_t i = 0; same && i < now->count; i++)
        same = strcmp(before->children[i]->text, now->children[i]->text) == 0;
    if (!same)
        return DV_FAIL(DV_EARG, "the data in %s have other labels now than when the run began",
                       resumed->experiment.data.path);
    return DV_OK;
}

/* Refuses other data: the state is useless for them, and training clips could become test clips. */
static dv_status check_data(const dv_resumed *resumed, const dv_resume_data *data,
                            const dv_train_state *state)
{
    const char *path = resumed->experiment.data.path;
    if (state->data != 0 && state->data != data->clips)
        return DV_FAIL(DV_EARG,
                       "the data in %s are not those that the run began with: there are other "
                       "clips now, or they are in other parts",
                       path);
    if (state->sounds != 0 && state->sounds != data->sounds && !data->may_differ)
        return DV_FAIL(
            DV_EARG,
            "the sounds in %s are not those that the run began with, though they have the same "
            "names: bring the old ones back, or accept the new ones (changed_data)",
            path);
    if (state->teachers != data->teachers)
        return DV_FAIL(DV_EARG,
                       "train.teacher '%s' is not the file that taught the run when it began: "
                       "bring that back, or set train.teacher to where it is now",
                       resumed->experiment.train.teacher);
    return DV_OK;
}

static dv_status check_progress(const dv_resumed *resumed, const dv_trainer *trainer)
{
    const dv_train_state *state = dv_trainer_state_of(trainer);
    int64_t per_epoch = (int64_t)dv_trainer_steps_per_epoch(trainer);
    int64_t done = state->step - state->epoch * per_epoch; /* steps of the unfinished epoch */
    int64_t samples = done * dv_trainer_batch_size(trainer);
    /* The clips of a skipped update may be missing from `seen`, because their loss overflowed. */
    bool seen = state->seen == samples || (state->skipped > 0 && state->seen < samples);
    bool fits = done >= 0 && done < per_epoch && seen;
    if (!fits && !state->finished)
        return DV_FAIL(DV_EARG,
                       "the data in %s are not those that the run began with: an epoch has "
                       "%" PRId64 " steps now",
                       resumed->experiment.data.path, per_epoch);
    return DV_OK;
}

/* Applies a changed train.epochs. A finished run continues, and early stopping counts from zero
   again. */
static dv_status prolong(const dv_resumed *resumed, dv_run_folder *folder, dv_trainer *trainer)
{
    dv_train_state *state = dv_trainer_state(trainer);
    const dv_train_config *config = &resumed->experiment.train;
    if (config->epochs == resumed->epochs)
        return DV_OK;
    if (config->max_steps > 0)
        return DV_FAIL(DV_EARG,
                       "train.epochs %" PRId64
                       " cannot prolong this run, since train.max_steps %" PRId64 " ends it",
                       config->epochs, config->max_steps);
    if (config->epochs <= state->epoch)
        return DV_FAIL(DV_EARG,
                       "train.epochs %" PRId64 " is too few: the run has done %" PRId64
                       " epochs already",
                       config->epochs, state->epoch);
    if (state->finished)
        state->stale = 0;
    state->finished = false;
    dv_run_tell(folder,
                "the run has %" PRId64 " epochs now, not %" PRId64
                ": the schedule %s ends with step %" PRIu64
                ", and the next update has the learning rate %.2g",
                config->epochs, resumed->epochs, dv_schedule_names[config->scheduler],
                (uint64_t)config->epochs * dv_trainer_steps_per_epoch(trainer),
                dv_trainer_next_rate(trainer));
    return DV_OK;
}

static const char algorithms_key[] = "algorithms";

dv_status dv_resume_keep_algorithms(dv_context *context, dv_tree *state)
{
    char *text;
    dv_tree *kept = NULL;
    dv_status status = dv_choices_write(context, &text);
    bool any = status == DV_OK && text[0] != '\0';
    if (any)
        status = dv_tree_new_scalar(text, NULL, 0, &kept);
    free(text);
    return any && status == DV_OK ? dv_tree_append(state, algorithms_key, kept) : status;
}

dv_status dv_resume_follow_algorithms(const dv_resumed *resumed, dv_context *context)
{
    const dv_tree *kept = dv_tree_get(resumed->checkpoint.state, algorithms_key);
    if (kept == NULL || kept->kind != DV_TREE_SCALAR)
        return DV_OK;
    dv_status status = dv_choices_read(context, kept->text);
    return status == DV_OK ? DV_OK : dv_fail_within(status, "%s", resumed->checkpoint.path);
}

/* Reads the state without the algorithms, which belong to the context. */
static dv_status read_state(const dv_tree *from, dv_train_state *out)
{
    dv_tree *state, *copy;
    DV_TRY(dv_tree_new(DV_TREE_MAP, from->source, from->line, &state));
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < from->count; i++) {
        const dv_tree *child = from->children[i];
        if (strcmp(child->key, algorithms_key) == 0)
            continue;
        status = dv_tree_copy(child, &copy);
        if (status == DV_OK)
            status = dv_tree_append(state, child->key, copy);
    }
    if (status == DV_OK)
        status = dv_fields_read(dv_train_state_fields, state, "state", out);
    dv_tree_free(state);
    return status;
}

dv_status dv_resume_restore(const dv_resumed *resumed, const dv_resume_data *data,
                            dv_run_folder *folder, dv_trainer *trainer)
{
    dv_train_state *state = dv_trainer_state(trainer);
    DV_TRY(check_labels(resumed, data->labels));
    DV_TRY(read_state(resumed->checkpoint.state, state));
    DV_TRY(check_data(resumed, data, state));
    DV_TRY(check_progress(resumed, trainer));
    DV_TRY(dv_checkpoint_read_all(&resumed->checkpoint, dv_trainer_params(trainer)));
    dv_run_tell(folder, "resumed at step %" PRId64 ", epoch %" PRId64, state->step,
                state->epoch + 1);
    return prolong(resumed, folder, trainer);
}
