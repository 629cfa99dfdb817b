/* Reads the checkpoints of teachers, checks them, and copies their weights into the trainer. */
#include "runner/training/teachers.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "frontends/model/transfer.h"
#include "runner/experiment/home.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The parameters of dv_teachers_read. */
typedef struct reading {
    const dv_experiment *experiment;
    dv_context *context;
    const dv_dataset *dataset;
    dv_teachers *out;
} reading;

static dv_status check_labels(const reading *r, const dv_model *model, const char *path)
{
    const dv_dataset *dataset = r->dataset;
    bool same = (size_t)dv_model_classes(model) == dataset->label_count;
    for (size_t i = 0; same && i < dataset->label_count; i++)
        same = strcmp(dv_model_label(model, i), dataset->labels[i]) == 0;
    if (same)
        return DV_OK;
    return DV_FAIL(
        DV_EFORMAT,
        "train.teacher: %s has other labels than the data, or the same ones in another order",
        path);
}

/* Checks that the teacher reads clips as the student does: both take the same clips. */
static dv_status check_reading(const reading *r, const dv_features_config *features,
                               const char *path)
{
    static const char *const keys[] = {"sample_rate", "duration", "placement", "level", NULL};
    dv_features_difference difference;
    DV_TRY(dv_features_compare(&r->experiment->features, features, keys, &difference));
    if (difference.key[0] == '\0')
        return DV_OK;
    return DV_FAIL(DV_EFORMAT,
                   "train.teacher: features.%s is %s in %s and %s in this training; they must be "
                   "the same, since both hear the same clips",
                   difference.key, difference.second, path, difference.first);
}

/* Makes a source of the teacher's own features if they differ from the student's, else NULL. */
static dv_status make_source(const reading *r, const dv_frontend *frontend, dv_clip_source **out)
{
    const dv_experiment *experiment = r->experiment;
    dv_features_difference difference;
    *out = NULL;
    DV_TRY(dv_features_compare(&experiment->features, dv_frontend_config(frontend), NULL,
                               &difference));
    if (difference.key[0] == '\0')
        return DV_OK;
    return dv_clip_source_create(r->context, r->dataset, frontend, &experiment->augment,
                                 experiment->train.batch_size, r->context->threads, out);
}

/* Finds the file of one item of the list, without the blanks around it. */
static dv_status find_file(char *text, char path[DV_HOME_PATH_SIZE])
{
    text += strspn(text, " ");
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
    if (length == 0)
        return DV_FAIL(DV_EARG, "train.teacher: the name of a file is missing between two commas");
    dv_home_checkpoint(text, path, DV_HOME_PATH_SIZE);
    return DV_OK;
}

/* Adds a file to the mark, which depends on the content and the order of all files. */
static dv_status add_mark(const char *path, dv_teachers *out)
{
    char text[2 * DV_SHA256_SIZE + 32], digest[DV_SHA256_SIZE];
    unsigned long long value;
    int length = snprintf(text, sizeof text, "%llu ", (unsigned long long)out->mark);
    DV_TRY(dv_sha256_file(path, text + length));
    dv_sha256_bytes(text, strlen(text), digest);
    if (sscanf(digest, "%13llx", &value) == 1) /* 52 bits, which a double holds exactly */
        out->mark = (int64_t)(value | 1);
    return DV_OK;
}

/* Reads a teacher and checks that it fits the data. Only a teacher whose features differ from the
   student's gets a source. */
static dv_status read_one(void *user, char *text)
{
    reading *r = user;
    dv_teachers *out = r->out;
    char path[DV_HOME_PATH_SIZE];
    DV_TRY(find_file(text, path));
    if (out->count == DV_MAX_TEACHERS)
        return DV_FAIL(DV_EARG, "train.teacher: there are more than %d models",
                       (int)DV_MAX_TEACHERS);
    DV_TRY(add_mark(path, out));
    int index = out->count++;
    const dv_log *log = &r->context->log;
    const dv_model_options how = {.size = sizeof how, .log = log->write, .log_user = log->user};
    dv_status status = dv_model_open(path, &how, &out->models[index]);
    if (status != DV_OK)
        return dv_fail_within(status, "train.teacher");
    const dv_model *model = out->models[index];
    const dv_frontend *frontend = dv_model_frontend(model);
    DV_TRY(check_labels(r, model, path));
    DV_TRY(check_reading(r, dv_frontend_config(frontend), path));
    DV_TRY(make_source(r, frontend, &out->sources[index]));
    out->list[index] = (dv_teacher){
        .model = dv_tree_get(dv_model_checkpoint(model)->config, "model"),
        .source = out->sources[index] != NULL ? dv_clip_source_get(out->sources[index]) : NULL};
    return DV_OK;
}

/* Calls `item` with each file of a list with commas. A text that is the name of an existing file is
   one file, even with commas in it. */
static dv_status each_file(const char *files, dv_status (*item)(void *user, char *text), void *user)
{
    struct stat facts;
    if (files[0] == '\0')
        return DV_OK;
    if (stat(files, &facts) != 0)
        return dv_each_item(files, item, user);
    char copy[DV_STRING_SIZE];
    snprintf(copy, sizeof copy, "%s", files);
    return item(user, copy);
}

static dv_status open_one(void *user, char *text)
{
    char path[DV_HOME_PATH_SIZE];
    dv_checkpoint checkpoint;
    (void)user;
    DV_TRY(find_file(text, path));
    dv_status status = dv_home_offer(path, dv_checkpoint_open(path, &checkpoint));
    if (status != DV_OK)
        return dv_fail_within(status, "train.teacher");
    dv_checkpoint_close(&checkpoint);
    return DV_OK;
}

dv_status dv_teachers_check(const dv_experiment *experiment)
{
    return each_file(experiment->train.teacher, open_one, NULL);
}

dv_status dv_teachers_read(const dv_experiment *experiment, dv_context *context,
                           const dv_dataset *dataset, dv_teachers *out)
{
    reading r = {experiment, context, dataset, out};
    *out = (dv_teachers){.count = 0};
    return each_file(experiment->train.teacher, read_one, &r);
}

dv_status dv_teachers_enter(dv_teachers *teachers, dv_trainer *trainer)
{
    for (int i = 0; i < teachers->count; i++) {
        char prefix[DV_NAME_SIZE];
        dv_teacher_prefix(i, prefix);
        DV_TRY(dv_transfer_all(dv_model_params(teachers->models[i]), prefix,
                               dv_trainer_teachers(trainer)));
    }
    return DV_OK;
}

void dv_teachers_free(dv_teachers *teachers)
{
    for (int i = 0; i < teachers->count; i++) {
        dv_clip_source_free(teachers->sources[i]);
        dv_model_close(teachers->models[i]);
    }
    *teachers = (dv_teachers){.count = 0};
}
