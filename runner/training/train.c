/* The training of the public API. */
#include "engine/base/locale.h"
#include "engine/device/threads.h"
#include "frontends/model/model.h"
#include "runner/experiment/config.h"
#include "runner/training/training.h"

#include <omp.h>
#include <string.h>

/* Between the caller and the training. */
typedef struct caller {
    dv_train_options options;
    dv_train_next next; /* what the caller has said and the training does not know yet */
    locale_t locale;    /* the caller's: its functions are called in it */
} caller;

static void tell_line(void *user, dv_log_level level, const char *line)
{
    const caller *c = user;
    if (c->options.log == NULL)
        return;
    locale_t ours = uselocale(c->locale);
    c->options.log(c->options.log_user, level, line);
    uselocale(ours);
}

/* A pause that was asked for stays so: it is made between two updates, and perhaps not in the step
   that the caller has asked in. */
static void tell_progress(void *user, const dv_train_progress *progress)
{
    caller *c = user;
    if (c->options.progress == NULL)
        return;
    locale_t ours = uselocale(c->locale);
    dv_train_next next = c->options.progress(c->options.user, progress);
    uselocale(ours);
    if (c->next != DV_TRAIN_PAUSE)
        c->next = next;
}

/* That an epoch is the last one is told once, and the training keeps it: it is not the last one of
   the training after a pretraining. */
static dv_train_next what_next(void *user)
{
    caller *c = user;
    dv_train_next next = c->next;
    if (next == DV_TRAIN_FINISH)
        c->next = DV_TRAIN_CONTINUE;
    return next;
}

static dv_status check(const dv_config *config, const dv_train_options *options)
{
    if (options->folder == NULL || options->folder[0] == '\0')
        return DV_FAIL(DV_EARG, "a training needs options->folder, the folder of its run");
    if (config == NULL && !options->resume)
        return DV_FAIL(DV_EARG, "a training needs a configuration, unless it resumes a run");
    if (options->threads < 0 || options->threads > DV_MOST_THREADS)
        return DV_FAIL(DV_EARG, "dv_train_options: threads is %d, must be 0 to %d",
                       options->threads, DV_MOST_THREADS);
    if (options->device != NULL && strlen(options->device) >= DV_STRING_SIZE)
        return DV_FAIL(DV_EARG, "the name of the device is too long: '%.60s...'", options->device);
    return DV_OK;
}

/* Hands the training what the caller has asked for, and its result back. */
dv_status dv_train(const dv_config *config, const dv_train_options *options, dv_train_result *out)
{
    caller c = {.next = DV_TRAIN_CONTINUE};
    dv_train_result result;
    if (out == NULL)
        out = &result;
    memset(out, 0, sizeof *out);
    DV_TRY(dv__options_take(options, sizeof c.options, "dv_train_options", &c.options));
    DV_TRY(check(config, &c.options));
    bool resumes = c.options.resume != 0;
    const dv_observer observer = {
        .user = &c, .line = tell_line, .progress = tell_progress, .next = what_next};
    const dv_training_request request = {
        .experiment = resumes ? NULL : dv_config_experiment(config),
        .given = resumes && config != NULL ? dv_config_experiment(config) : NULL,
        .folder = c.options.folder,
        .device = c.options.device != NULL ? c.options.device : "auto",
        .threads = c.options.threads,
        .dot = "",
        .step_dot = "",
        .observer = &observer,
    };
    int threads_before = omp_get_max_threads(); /* of the caller's; the training has its own */
    c.locale = dv_locale_enter();
    dv_status status = dv_training_run(&request, out);
    dv_locale_leave(c.locale);
    omp_set_num_threads(threads_before);
    return status;
}
