/*
 * Trains through the public header alone, for tests/e2e/test_library.py. Standard output and
 * standard error are closed; results go into the file RESULT.
 *
 *     laboratory both RESULT DATA FOLDER    trains FOLDER/mini and FOLDER/lightweight at once
 *     laboratory pause RESULT DATA FOLDER   pauses in mid-epoch and resumes
 *     laboratory last RESULT DATA FOLDER    pauses in the last step of an epoch
 *     laboratory within RESULT DATA FOLDER  pauses within an update of three batches
 *     laboratory finish RESULT DATA FOLDER  ends by request with the second epoch
 *     laboratory again RESULT DATA FOLDER   resumes with several configurations, a line each
 *     laboratory refuse RESULT DATA FOLDER  lists refusals, a line each
 *     laboratory export RESULT MODEL FOLDER exports every form into FOLDER, and lists refusals
 *
 * The locale, and with it the decimal point, is that of the environment, as in many programs.
 */
#include "include/decavox.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct training {
    const char *name, *data, *folder;
    const char *settings[3];
    size_t setting_count;
    int64_t pause_at, finish_at; /* step and epoch, 0 for never */
    char path[512];
    int64_t steps, epochs, lines, misfits;
    dv_status status;
    dv_train_result result;
    char message[512];
    int64_t right, count; /* results of dv_evaluate */
    double loss;
    char point; /* the locale's decimal point */
} training;

static char decimal_point(void)
{
    return localeconv()->decimal_point[0];
}

static void count_line(void *user, dv_log_level level, const char *message)
{
    training *t = user;
    t->lines++;
    t->misfits += decimal_point() != t->point;
    t->misfits += level == DV_LOG_DEBUG || strchr(message, '\n') != NULL;
}

static dv_train_next follow(void *user, const dv_train_progress *progress)
{
    training *t = user;
    t->misfits += progress->pretraining != 0;
    t->misfits += progress->epoch < 1 || progress->epoch > progress->epochs;
    t->misfits += progress->step < 1 || progress->step > progress->steps;
    t->misfits += !(progress->loss >= 0);
    t->misfits += decimal_point() != t->point;
    if (progress->epoch_ended) {
        t->epochs++;
        t->misfits += progress->step != progress->steps || !(progress->seconds > 0);
        return progress->epoch == t->finish_at ? DV_TRAIN_FINISH : DV_TRAIN_CONTINUE;
    }
    t->steps++;
    t->misfits += !isnan(progress->accuracy);
    return t->steps == t->pause_at ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

static dv_status configure(training *t, dv_config **config)
{
    char path[64], data[512];
    snprintf(path, sizeof path, "configs/%s.yaml", t->name);
    snprintf(data, sizeof data, "data.path=%s", t->data);
    const char *all[4] = {data};
    dv_status status = dv_config_open(path, config);
    memcpy(all + 1, t->settings, t->setting_count * sizeof *all);
    return status == DV_OK ? dv_config_set(*config, all, 1 + t->setting_count) : status;
}

static dv_status evaluate(training *t)
{
    char path[600];
    dv_model *model = NULL;
    dv_evaluation *evaluation = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", t->path);
    dv_status status = dv_model_open(path, NULL, &model);
    if (status == DV_OK)
        status = dv_evaluate(model, NULL, &evaluation);
    if (status == DV_OK) {
        t->right = dv_evaluation_correct(evaluation);
        t->count = dv_evaluation_count(evaluation);
        t->loss = dv_evaluation_loss(evaluation);
        int64_t diagonal = 0;
        for (size_t i = 0; i < dv_model_label_count(model); i++)
            diagonal += dv_evaluation_confusion(evaluation, i, i);
        t->misfits += diagonal != t->right;
        t->misfits += strstr(dv_evaluation_json(evaluation), "\"confusion\"") == NULL;
    }
    dv_evaluation_free(evaluation);
    dv_model_close(model);
    return status;
}

/* Trains, resumes after a pause, and evaluates. */
static void *train(void *user)
{
    training *t = user;
    dv_config *config = NULL;
    dv_train_options options = dv_train_options_default();
    snprintf(t->path, sizeof t->path, "%s/%s", t->folder, t->name);
    options.folder = t->path;
    options.device = "cpu";
    options.threads = 1;
    options.log = count_line;
    options.log_user = t;
    options.progress = follow;
    options.user = t;
    t->point = decimal_point();
    t->status = configure(t, &config);
    if (t->status == DV_OK)
        t->status = dv_train(config, &options, &t->result);
    if (t->status == DV_EINTERRUPTED && t->pause_at > 0) {
        t->misfits += t->steps < t->pause_at || t->steps > t->pause_at + 2;
        options.resume = 1;
        t->status = dv_train(NULL, &options, &t->result);
    }
    if (t->status == DV_OK)
        t->status = evaluate(t);
    if (t->status != DV_OK)
        snprintf(t->message, sizeof t->message, "%s", dv_error_message());
    dv_config_free(config);
    t->misfits += decimal_point() != t->point;
    return NULL;
}

static void tell(FILE *out, const training *t)
{
    setlocale(LC_ALL, "C");
    fprintf(out,
            "{\"status\": %d, \"message\": \"%s\", \"epochs\": %d, \"told\": %d, \"best\": %d, "
            "\"correct\": %d, \"count\": %d, \"is_test\": %d, \"loss\": %.17g, \"right\": %d, "
            "\"of\": %d, \"evaluated\": %.17g, \"lines\": %d, \"misfits\": %d}\n",
            (int)t->status, t->message, (int)t->result.epochs, (int)t->epochs,
            (int)t->result.best_epoch, (int)t->result.correct, (int)t->result.count,
            t->result.is_test, t->result.loss, (int)t->right, (int)t->count, t->loss, (int)t->lines,
            (int)t->misfits);
}

static int both(FILE *out, const char *data, const char *folder)
{
    training all[2] = {{.name = "mini",
                        .data = data,
                        .folder = folder,
                        .settings = {"train.epochs=4", "train.batch_size=4"},
                        .setting_count = 2},
                       {.name = "lightweight",
                        .data = data,
                        .folder = folder,
                        .settings = {"train.epochs=2", "train.batch_size=4", "train.seed=7"},
                        .setting_count = 3}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, train, &all[i]) != 0)
            return 1;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        tell(out, &all[i]);
    }
    return 0;
}

static int alone(FILE *out, const char *data, const char *folder, int64_t pause, int64_t finish,
                 const char *setting)
{
    training one = {.name = "mini",
                    .data = data,
                    .folder = folder,
                    .settings = {"train.epochs=4", "train.batch_size=4", setting},
                    .setting_count = setting != NULL ? 3 : 2,
                    .pause_at = pause,
                    .finish_at = finish};
    train(&one);
    tell(out, &one);
    return 0;
}

static void expect(FILE *out, dv_status status)
{
    fprintf(out, "%s: %s\n", dv_status_text(status), status != DV_OK ? dv_error_message() : "");
}

/* A program that the host starts during a training, and that outlives it. */
static dv_train_next start_a_program(void *user, const dv_train_progress *progress)
{
    (void)user;
    if (progress->epoch == 1 && progress->step == 1)
        return system("sleep 5 &") == 0 ? DV_TRAIN_CONTINUE : DV_TRAIN_PAUSE;
    return DV_TRAIN_CONTINUE;
}

/* Resumes a finished run with the same configuration, with others, and with one of more epochs. */
static int again(FILE *out, const char *data, const char *folder)
{
    training one = {.name = "mini",
                    .data = data,
                    .settings = {"train.epochs=2", "train.batch_size=4"},
                    .setting_count = 2};
    static const char *const changes[] = {"train.epochs=2",    "train.seed=7", "train.seed=1",
                                          "model=lightweight", "model=mini",   "train.epochs=3"};
    dv_config *config = NULL;
    dv_train_result result;
    dv_train_options options = dv_train_options_default();
    options.folder = folder;
    options.device = "cpu";
    options.threads = 1;
    options.progress = start_a_program;
    expect(out, configure(&one, &config));
    expect(out, dv_train(config, &options, &result));
    options.resume = 1;
    options.progress = NULL;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        expect(out, dv_config_set(config, &changes[i], 1));
        expect(out, dv_train(config, &options, &result));
        fprintf(out, "%d epochs\n", (int)result.epochs);
    }
    dv_config_free(config);
    return 0;
}

/* Refusals: missing files, unknown settings, and missing ones that a training needs. A
   configuration does not change when a setting is refused. */
static int refuse(FILE *out, const char *data, const char *folder)
{
    dv_config *config, *none;
    dv_train_options options = dv_train_options_default();
    dv_train_result result;
    char path[512], endless[2048];
    (void)data;
    expect(out, dv_config_open("nowhere.yaml", &none));
    memset(endless, 'a', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    expect(out, dv_config_open(endless, &none));
    expect(out, dv_config_open("configs/mini.yaml", &config));
    char *before = strdup(dv_config_text(config));
    static const char *const settings[] = {"train.epochs", "train.epoch=3", "train.epochs=-1",
                                           "model=none_such"};
    for (int i = 0; i < 4; i++)
        expect(out, dv_config_set(config, &settings[i], 1));
    fprintf(out, "%s\n", strcmp(before, dv_config_text(config)) == 0 ? "unchanged" : "CHANGED");
    free(before);
    snprintf(path, sizeof path, "%s/refused", folder);
    expect(out, dv_train(config, &options, &result));
    options.folder = path;
    expect(out, dv_train(NULL, &options, &result));
    expect(out, dv_train(config, &options, NULL));
    options.threads = 1025;
    expect(out, dv_train(config, &options, NULL));
    options.threads = 1;
    options.device = "abacus";
    expect(out, dv_train(config, &options, NULL));
    options.resume = 1;
    expect(out, dv_train(NULL, &options, NULL));
    options.size = 3;
    expect(out, dv_train(config, &options, NULL));
    dv_config_free(config);
    return 0;
}

static dv_status export_as(dv_model *model, const char *folder, const char *name,
                           const dv_export_options *options)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return dv_export(model, path, options);
}

static void write_foreign(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file != NULL) {
        fputs("mine", file);
        fclose(file);
    }
}

/* Refusals of exports: files that would be replaced, unknown options, and options without effect.
 */
static void refuse_exports(FILE *out, dv_model *model, const char *model_path, const char *folder)
{
    dv_export_options options = dv_export_options_default();
    write_foreign(folder, "mine.onnx");
    expect(out, export_as(model, folder, "mine.onnx", NULL));
    options.force = 1;
    expect(out, dv_export(model, model_path, &options));
    options.format = "onnx";
    write_foreign(folder, "mine.wav");
    expect(out, export_as(model, folder, "mine.wav", &options));
    options.format = NULL;
    expect(out, export_as(model, folder, "mine.onnx", &options));
    expect(out, dv_export(model, "", &options));
    expect(out, export_as(model, folder, "a.onx", &options));
    expect(out, export_as(model, folder, "none/a.onnx", &options));
    options.format = "tflite";
    expect(out, export_as(model, folder, "a.onnx", &options));
    options = dv_export_options_default();
    options.input = "sound";
    expect(out, export_as(model, folder, "a.onnx", &options));
    options.input = "log_mel";
    expect(out, export_as(model, folder, "a.onnx", &options));
    options.input = "features";
    expect(out, export_as(model, folder, "a.safetensors", &options));
    options.precision = "bf16";
    expect(out, export_as(model, folder, "a.onnx", &options));
    options = dv_export_options_default();
    options.batch = -1;
    expect(out, export_as(model, folder, "a.onnx", &options));
    options.batch = 2;
    expect(out, export_as(model, folder, "a.safetensors", &options));
    options.batch = 0;
    options.license = "\xff";
    expect(out, export_as(model, folder, "a.onnx", &options));
    options.size = 3;
    expect(out, export_as(model, folder, "a.onnx", &options));
}

/* Exports every form, each a second time over the first, and with all options. */
static int export_all(FILE *out, const char *model_path, const char *folder)
{
    static const char *const names[] = {"a.onnx", "a.pt", "a.pt2", "a.safetensors"};
    dv_export_options options = dv_export_options_default();
    dv_model *model = NULL;
    expect(out, dv_model_open(model_path, NULL, &model));
    if (model == NULL)
        return 1;
    for (int i = 0; i < 8; i++)
        expect(out, export_as(model, folder, names[i % 4], NULL));
    options.format = "torchscript";
    options.input = "features";
    options.precision = "fp16";
    options.batch = 2;
    options.license = "MIT";
    expect(out, export_as(model, folder, "all", &options));
    options = dv_export_options_default();
    options.precision = "fp16";
    expect(out, export_as(model, folder, "half.safetensors", &options));
    refuse_exports(out, model, model_path, folder);
    dv_model_close(model);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    FILE *out = fopen(argv[2], "w");
    if (out == NULL)
        return 1;
    setlocale(LC_ALL, "");
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    int failed = 2;
    if (strcmp(argv[1], "both") == 0)
        failed = both(out, argv[3], argv[4]);
    else if (strcmp(argv[1], "pause") == 0)
        failed = alone(out, argv[3], argv[4], 7, 0, NULL);
    else if (strcmp(argv[1], "last") == 0)
        failed = alone(out, argv[3], argv[4], 9, 0, NULL);
    else if (strcmp(argv[1], "within") == 0)
        failed = alone(out, argv[3], argv[4], 4, 0, "train.accumulate=3");
    else if (strcmp(argv[1], "finish") == 0)
        failed = alone(out, argv[3], argv[4], 0, 2, NULL);
    else if (strcmp(argv[1], "again") == 0)
        failed = again(out, argv[3], argv[4]);
    else if (strcmp(argv[1], "refuse") == 0)
        failed = refuse(out, argv[3], argv[4]);
    else if (strcmp(argv[1], "export") == 0)
        failed = export_all(out, argv[3], argv[4]);
    return fclose(out) != 0 || failed;
}
