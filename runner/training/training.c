/* One training: its data, its trainer, its files, and the pretraining before it. */
#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "engine/base/yaml.h"
#include "frontends/model/transfer.h"
#include "runner/experiment/home.h"
#include "runner/experiment/output.h"
#include "runner/training/pretraining.h"
#include "runner/training/training_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void log_line(void *user, dv_log_level level, const char *message)
{
    dv_training *training = user;
    dv_run_line(&training->folder, level, message);
}

/* ---- Events of the trainer ---- */

static dv_train_progress progress_of(const dv_training *training, const dv_trainer *trainer)
{
    return (dv_train_progress){
        .pretraining = training->request->later != NULL,
        .epochs = training->experiment->train.epochs,
        .steps = (int64_t)dv_trainer_steps_per_epoch(trainer),
        .accuracy = NAN,
        .validation_loss = NAN,
        .validation_accuracy = NAN,
        .learning_rate = NAN,
        .seconds = NAN,
    };
}

static void tell_progress(const dv_training *training, const dv_train_progress *progress)
{
    if (training->observer.progress != NULL)
        training->observer.progress(training->observer.user, progress);
}

static void on_step(void *user, const dv_trainer *trainer)
{
    const dv_training *training = user;
    const dv_train_state *state = dv_trainer_state_of(trainer);
    dv_train_progress progress = progress_of(training, trainer);
    progress.epoch = state->epoch + 1;
    progress.step = state->step - state->epoch * progress.steps;
    progress.loss = dv_trainer_mean_loss(trainer);
    tell_progress(training, &progress);
}

static void tell_epoch(const dv_training *training, const dv_trainer *trainer,
                       const dv_epoch_metrics *m)
{
    dv_train_progress progress = progress_of(training, trainer);
    progress.epoch = m->epoch;
    progress.step = progress.steps;
    progress.epoch_ended = 1;
    progress.loss = m->train_loss;
    progress.accuracy = m->train_accuracy;
    progress.validation_loss = m->validation_loss;
    progress.validation_accuracy = m->validation_accuracy;
    progress.learning_rate = m->learning_rate;
    progress.seconds = m->seconds;
    progress.improved = m->improved;
    tell_progress(training, &progress);
}

static dv_train_next what_next(void *user)
{
    const dv_training *training = user;
    const dv_observer *observer = &training->observer;
    return observer->next != NULL ? observer->next(observer->user) : DV_TRAIN_CONTINUE;
}

/* Logs a line, and adds the metrics to the files of the run. */
static dv_status on_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *m)
{
    dv_training *training = user;
    char validation[96] = "", scale[64] = "";
    if (!isnan(m->validation_accuracy))
        snprintf(validation, sizeof validation, "  validation loss %.4f accuracy %.2f%%%s",
                 m->validation_loss, 100 * m->validation_accuracy, m->improved ? " *" : "");
    if (m->loss_scale > 1)
        snprintf(scale, sizeof scale, "  loss scale %g, skipped %" PRId64, m->loss_scale,
                 m->skipped);
    dv_run_tell(&training->folder,
                "epoch %" PRId64 "/%" PRId64 "  train loss %.4f accuracy %.2f%%%s  rate %.2g%s  "
                "%.2f s",
                m->epoch, training->experiment->train.epochs, m->train_loss,
                100 * m->train_accuracy, validation, m->learning_rate, scale, m->seconds);
    DV_TRY(dv_run_metrics_add(&training->folder, m));
    DV_TRY(dv_run_events_add(&training->folder, training->experiment->tree, m));
    tell_epoch(training, trainer, m);
    return DV_OK;
}

static dv_status on_save(void *user, const dv_trainer *trainer)
{
    dv_training *training = user;
    char path[DV_RUN_PATH_SIZE];
    dv_run_folder_path(&training->folder, "last.safetensors", path);
    dv_tree *state;
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &state));
    dv_status status = dv_fields_write(dv_train_state_fields, dv_trainer_state_of(trainer), state);
    if (status == DV_OK)
        status = dv_resume_keep_algorithms(training->context, state);
    if (status == DV_OK)
        status = dv_checkpoint_write(path, dv_trainer_params(trainer), training->experiment->tree,
                                     training->labels, state);
    dv_tree_free(state);
    return status;
}

/* ---- Setting up ---- */

static dv_status open_folder(dv_training *training)
{
    const dv_training_request *request = training->request;
    bool resume = request->experiment == NULL;
    if (request->experiment != NULL &&
        dv_same_file(request->folder, request->experiment->data.path))
        return DV_FAIL(DV_EARG, "%s is the data: choose another folder for the run",
                       request->folder);
    DV_TRY(dv_run_folder_open(request->folder, resume, &training->observer, &training->folder));
    if (resume) /* the folder is locked now */
        DV_TRY(dv_resume_read(&training->folder, request->changes, request->given,
                              &training->resumed));
    training->experiment = resume ? &training->resumed.experiment : request->experiment;
    return DV_OK;
}

static dv_status leave_out_tested(dv_training *training)
{
    dv_dataset later;
    size_t removed;
    if (training->request->later == NULL)
        return DV_OK;
    DV_TRY(dv_dataset_prepare(&training->request->later->data, &later));
    dv_status status = dv_dataset_leave_out_tested(&training->dataset, &later, &removed);
    dv_dataset_free(&later);
    if (status == DV_OK && removed > 0)
        dv_run_tell(&training->folder,
                    "%zu clip%s left out, since the training after this one is tested or "
                    "validated with them",
                    removed, removed == 1 ? " is" : "s are");
    return status;
}

/* Reads the sounds, and logs their faults. */
static dv_status look_at_data(dv_training *training)
{
    const dv_experiment *experiment = training->experiment;
    const dv_look_config config = dv_experiment_look(experiment);
    const dv_log *log = &training->context->log;
    DV_TRY(dv_dataset_look(&training->dataset, training->frontend, &config, log, &training->look));
    dv_look_log(&training->look, &training->dataset, log);
    return training->request->strict ? dv_look_fail(&training->look) : DV_OK;
}

/* Opens the data, removes clips that a later training tests, reads and checks the others, and makes
   the source of batches and the list of labels. */
static dv_status load_data(dv_training *training)
{
    const dv_experiment *experiment = training->experiment;
    if (experiment->data.path[0] == '\0')
        return DV_FAIL(DV_ECONFIG,
                       "there are no data: set data.path to a folder of sound files or a manifest");
    DV_TRY(dv_frontend_create(&experiment->features, &training->frontend));
    dv_status status = dv_dataset_prepare(&experiment->data, &training->dataset);
    if (status == DV_EIO && training->request->experiment == NULL)
        return DV_FAIL(status, "%s; if the data have moved, set %s to where they are now",
                       dv_error_message(),
                       training->request->later != NULL ? "pretrain.data.path" : "data.path");
    DV_TRY(status);
    DV_TRY(leave_out_tested(training));
    DV_TRY(look_at_data(training));
    if (training->request->needs_test && !dv_dataset_has(&training->dataset, DV_PART_TEST))
        return DV_FAIL(DV_EARG, "data.split: %s: no readable clip is left for the test part",
                       experiment->data.split);
    DV_TRY(dv_dataset_weigh(&training->dataset, experiment->train.class_weights));
    DV_TRY(dv_clip_source_create(training->context, &training->dataset, training->frontend,
                                 &experiment->augment, experiment->train.batch_size,
                                 training->context->threads, &training->source));
    DV_TRY(dv_tree_new(DV_TREE_LIST, NULL, 0, &training->labels));
    for (size_t i = 0; i < training->dataset.label_count; i++) {
        dv_tree *label;
        DV_TRY(dv_tree_new_scalar(training->dataset.labels[i], NULL, 0, &label));
        label->quoted = true; /* keeps a label that looks like a number a text */
        DV_TRY(dv_tree_append(training->labels, NULL, label));
    }
    /* Fails now, rather than at the first checkpoint, if a checkpoint cannot hold the labels. */
    char *text;
    status = dv_yaml_write(training->labels, &text);
    free(text);
    return status == DV_OK ? DV_OK
                           : dv_fail_within(status, "the labels of %s", experiment->data.path);
}

/* Makes a mark that a double holds exactly and that is not 0, which stands for unknown. */
static int64_t mark_of(uint64_t fingerprint)
{
    return (int64_t)(fingerprint >> 12 | 1);
}

/* Makes the marks by which the state distinguishes these data from others. */
static dv_status mark_data(dv_training *training)
{
    uint64_t sounds;
    DV_TRY(dv_dataset_sound_fingerprint(&training->dataset,
                                        training->experiment->augment.noise_path,
                                        training->context->threads, &sounds));
    training->data = (dv_resume_data){
        .labels = training->labels,
        .clips = (int64_t)(dv_dataset_fingerprint(&training->dataset) >> 12),
        .sounds = mark_of(sounds),
        .teachers = training->teachers.mark,
        .may_differ = training->request->changed_data,
    };
    return DV_OK;
}

/* Begins a new run: copies the initial weights and writes config.yaml. */
static dv_status begin(dv_training *training)
{
    const char *files = training->experiment->train.init_from;
    dv_transfer_target target = {
        .graph = dv_trainer_graph(training->trainer),
        .features = dv_tree_get(training->experiment->tree, "features"),
        .find = dv_home_checkpoint,
        .labels = (const char *const *)training->dataset.labels,
        .label_count = training->dataset.label_count,
    };
    if (training->pretrained[0] != '\0')
        DV_TRY(
            dv_transfer_file(training->pretrained, &target, dv__training_line, &training->folder));
    else if (files[0] != '\0')
        DV_TRY(dv_transfer(files, &target, dv__training_line, &training->folder));
    return dv_run_write_tree(&training->folder, "config.yaml", training->experiment->tree);
}

static dv_status go_on(dv_training *training)
{
    DV_TRY(dv_resume_restore(&training->resumed, &training->data, &training->folder,
                             training->trainer));
    dv_checkpoint_close(&training->resumed.checkpoint);
    return DV_OK;
}

/* Saves the changes at once, so that they hold even if the run is interrupted soon. */
static dv_status keep_changes(dv_training *training)
{
    DV_TRY(on_save(training, training->trainer));
    return dv_run_write_tree(&training->folder, "config.yaml", training->experiment->tree);
}

/* Logs the layers, the memory of the plan, the device, the data and the teachers. */
static void tell_start(dv_training *training)
{
    const dv_source *source = dv_clip_source_get(training->source);
    dv_plan_memory memory = dv_trainer_memory(training->trainer);
    dv_run_folder *folder = &training->folder;
    dv_graph_table(dv_trainer_graph(training->trainer), dv__training_line, folder);
    dv_run_tell(folder,
                "arena %.1f MB for %d tensors of %.1f MB together (reuse x%.1f), scratch %.1f MB",
                1e-6 * (double)memory.arena, memory.tensor_count, 1e-6 * (double)memory.tensors,
                (double)memory.tensors / (double)memory.arena, 1e-6 * (double)memory.scratch);
    dv_run_tell(folder,
                "%s in %s, %d thread%s; %" PRId64 " training and %" PRId64 " validation clips, %zu "
                "classes, features %" PRId64 " x %" PRId64,
                training->context->backend->name, dv_trainer_products(training->trainer),
                training->context->threads, dv_plural((size_t)training->context->threads),
                source->train_count, source->validation_count, training->dataset.label_count,
                source->rows, source->frames);
    if (training->teachers.count > 0)
        dv_run_tell(folder, "taught by %s, %g of the loss, temperature %g",
                    training->experiment->train.teacher, training->experiment->train.teacher_weight,
                    training->experiment->train.teacher_temperature);
}

static void graph_dot(const void *graph, FILE *out)
{
    dv_graph_dot(graph, out);
}

static dv_status write_dot(const dv_training *training)
{
    const char *path = training->request->dot;
    char *text;
    size_t size;
    if (path[0] == '\0')
        return DV_OK;
    DV_TRY(dv_text_of(graph_dot, dv_trainer_graph(training->trainer), &text, &size));
    dv_status status = dv_atomic_file_store(path, text, size);
    free(text);
    return status;
}

static dv_status make_trainer(dv_training *training)
{
    const dv_experiment *experiment = training->experiment;
    dv_teachers *teachers = &training->teachers;
    DV_TRY(dv_teachers_read(experiment, training->context, &training->dataset, teachers));
    DV_TRY(dv_trainer_create_taught(training->context, &experiment->train, experiment->model,
                                    dv_clip_source_get(training->source), teachers->list,
                                    teachers->count, &training->trainer));
    return dv_teachers_enter(teachers, training->trainer);
}

/* Does everything between opening the folder and the first step, such as restoring the state. */
static dv_status set_up(dv_training *training)
{
    dv_log log = {.write = log_line, .user = training};
    snprintf(training->device, sizeof training->device, "%s", training->request->device);
    DV_TRY(dv_context_open(training->device, training->request->threads, log, &training->context));
    if (strcmp(training->device, "auto") == 0) /* the report must use the same device */
        snprintf(training->device, sizeof training->device, "%s", training->context->backend->name);
    if (training->request->step_dot[0] != '\0' && training->context->backend->capture == NULL)
        return DV_FAIL(DV_EARG, "--step_dot: %s records no steps; a GPU does",
                       training->context->backend->name);
    const char *note = training->experiment->resolved.note;
    if (note[0] != '\0')
        dv_log_write(&training->context->log, DV_LOG_WARNING, "%s", note);
    DV_TRY(load_data(training));
    DV_TRY(dv_resume_follow_algorithms(&training->resumed, training->context));
    DV_TRY(make_trainer(training));
    tell_start(training);
    DV_TRY(write_dot(training));
    bool goes_on = training->resumed.checkpoint.file != NULL;
    DV_TRY(mark_data(training));
    DV_TRY(goes_on ? go_on(training) : begin(training));
    dv_trainer_state(training->trainer)->data = training->data.clips;
    dv_trainer_state(training->trainer)->sounds = training->data.sounds;
    dv_trainer_state(training->trainer)->teachers = training->data.teachers;
    if (goes_on && training->resumed.changed)
        DV_TRY(keep_changes(training));
    return dv_run_metrics_begin(&training->folder,
                                goes_on ? dv_trainer_state(training->trainer)->epoch : -1);
}

/* ---- The run ---- */

static dv_status run(dv_training *training)
{
    dv_train_events events = {
        .user = training, .step = on_step, .epoch = on_epoch, .save = on_save, .next = what_next};
    if (training->observer.begin != NULL)
        training->observer.begin(training->observer.user);
    dv_status status = dv_trainer_run(training->trainer, &events);
    const dv_train_state *state = dv_trainer_state_of(training->trainer);
    training->result->epochs = state->epoch;
    training->result->best_epoch = state->best_epoch;
    training->result->best_accuracy = state->best_accuracy;
    training->result->best_loss = state->best_loss;
    return status == DV_OK ? dv__training_finish(training) : status;
}

/* ---- The pretraining ---- */

/* Runs the pretraining. config.yaml is written first, so the run can be resumed at any time. */
static dv_status pretrain(dv_training *training)
{
    char folder[DV_RUN_PATH_SIZE];
    dv_run_folder_path(&training->folder, "pretrain", folder);
    DV_TRY(dv_run_write_tree(&training->folder, "config.yaml", training->experiment->tree));
    dv_run_tell(&training->folder, "pretraining in %s", folder);
    DV_TRY(dv_pretraining_run(training->request, training->experiment, folder));
    dv_run_folder_path(&training->folder, "pretrain/model.safetensors", training->pretrained);
    return DV_OK;
}

static void clean_up(dv_training *training)
{
    dv_trainer_free(training->trainer);
    dv_teachers_free(&training->teachers);
    dv_clip_source_free(training->source);
    dv_dataset_free(&training->dataset);
    dv_look_free(&training->look);
    dv_frontend_free(training->frontend);
    dv_context_close(training->context);
    dv_run_folder_close(&training->folder);
    dv_tree_free(training->labels);
    dv_resumed_free(&training->resumed);
}

/* Opens the other checkpoints that the training needs, before it reads data. `begins` is false if
   it is resumed. */
static dv_status check_checkpoints(const dv_experiment *experiment, bool begins)
{
    const char *files = experiment->train.init_from;
    dv_status status = DV_OK;
    if (begins && experiment->pretrain == NULL && files[0] != '\0')
        status = dv_home_offer(files, dv_transfer_check(files, dv_home_checkpoint));
    if (status != DV_OK)
        return dv_fail_within(status, "train.init_from");
    return dv_teachers_check(experiment);
}

/* Runs the stages until one fails. A failure is written to the log if it is open. */
dv_status dv_training_run(const dv_training_request *request, dv_train_result *out)
{
    dv_training training = {.request = request, .result = out, .folder = {.lock = -1}};
    *out = (dv_train_result){.epochs = 0};
    if (request->observer != NULL)
        training.observer = *request->observer;
    dv_status status = open_folder(&training);
    bool begins = training.resumed.checkpoint.file == NULL;
    if (status == DV_OK) {
        dv_run_tell_lines(&training.folder, request->proposal);
        status = check_checkpoints(training.experiment, begins);
    }
    if (status == DV_OK && training.experiment->pretrain != NULL && begins)
        status = pretrain(&training);
    if (status == DV_OK)
        status = set_up(&training);
    if (status == DV_OK)
        status = run(&training);
    if (status == DV_EINTERRUPTED)
        dv_run_tell(&training.folder, "%s", dv_error_message());
    else if (status != DV_OK && training.folder.log != NULL)
        dv_run_line(&training.folder, DV_LOG_DEBUG, dv_error_message());
    clean_up(&training);
    return status;
}
