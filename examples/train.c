/*
 * Trains a model from a configuration and evaluates it.
 *
 *     cc train.c -o train $(pkg-config --cflags --libs decavox)
 *     ./train configs/quickstart.yaml DATA runs/mine [KEY=VALUE...]
 *
 * Ctrl-C pauses the training, and the same command resumes it. A resumed training accepts no new
 * settings except train.epochs and data.path.
 */
#include <decavox.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = number;
}

static void print_warning(void *user, dv_log_level level, const char *message)
{
    (void)user;
    if (level == DV_LOG_WARNING)
        fprintf(stderr, "warning: %s\n", message);
}

/* Prints a line for each epoch. The validation accuracy is NaN if there are no validation clips. */
static dv_train_next follow(void *user, const dv_train_progress *progress)
{
    (void)user;
    if (progress->epoch_ended)
        printf("epoch %d of %d: loss %.4f, validation accuracy %.2f %%%s\n", (int)progress->epoch,
               (int)progress->epochs, progress->loss, 100 * progress->validation_accuracy,
               progress->improved ? ", the best so far" : "");
    return interrupted ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

/* Returns whether the folder holds a run. */
static int has_run(const char *folder)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    FILE *file = fopen(path, "r");
    if (file != NULL)
        fclose(file);
    return file != NULL;
}

/* Applies data.path and the settings of the command line. */
static dv_status configure(dv_config *config, const char *data, char **settings, int count)
{
    char path[1024];
    const char *first = path;
    snprintf(path, sizeof path, "data.path=%s", data);
    dv_status status = dv_config_set(config, &first, 1);
    if (status == DV_OK)
        status = dv_config_set(config, (const char *const *)settings, (size_t)count);
    return status;
}

/* Evaluates the trained model on the test part. */
static dv_status evaluate(const char *folder)
{
    char path[1024];
    dv_model *model = NULL;
    dv_evaluation *evaluation = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    dv_status status = dv_model_open(path, NULL, &model);
    if (status == DV_OK)
        status = dv_evaluate(model, NULL, &evaluation);
    if (status == DV_OK)
        printf("test: %d of %d right, loss %.4f\n", (int)dv_evaluation_correct(evaluation),
               (int)dv_evaluation_count(evaluation), dv_evaluation_loss(evaluation));
    dv_evaluation_free(evaluation);
    dv_model_close(model);
    return status;
}

/* Begins or resumes the training in the folder, and evaluates its model. */
int main(int argc, char **argv)
{
    dv_config *config = NULL;
    dv_train_options options = dv_train_options_default();
    if (argc < 4) {
        fprintf(stderr, "usage: train CONFIG DATA FOLDER [KEY=VALUE...]\n");
        return 2;
    }
    signal(SIGINT, interrupt);
    options.folder = argv[3];
    options.resume = has_run(argv[3]);
    options.log = print_warning;
    options.progress = follow;
    dv_status status = dv_config_open(argv[1], &config);
    if (status == DV_OK)
        status = configure(config, argv[2], argv + 4, argc - 4);
    if (status == DV_OK)
        status = dv_train(config, &options, NULL);
    if (status == DV_OK)
        status = evaluate(argv[3]);
    if (status != DV_OK)
        fprintf(stderr, "train: %s\n", dv_error_message());
    dv_config_free(config);
    return status == DV_OK ? 0 : 1;
}
