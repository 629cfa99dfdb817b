/* dv_train of the public API. */
#include "engine/base/locale.h"
#include "engine/device/threads.h"
#include "frontends/model/model.h"
#include "runner/experiment/config.h"
#include "runner/training/training.h"

#include <omp.h>
#include <string.h>

/* The caller of dv_train. */
typedef struct caller {
    dv_train_options options;
    dv_train_next next; /* the caller's answer that the training has not asked for yet */
    locale_t locale;    /* locale in which the caller's functions are called */
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

/* Calls the caller's function. A requested pause is kept, because the training pauses only between
   two updates, and that may be some steps later. */
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

/* Passes on DV_TRAIN_FINISH only once. The training remembers it, and repeating it would also end
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

/* Checks the options and runs the training in the "C" locale. */
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
    int threads_before = omp_get_max_threads(); /* the training changes it */
    c.locale = dv_locale_enter();
    dv_status status = dv_training_run(&request, out);
    dv_locale_leave(c.locale);
    omp_set_num_threads(threads_before);
    return status;
}
