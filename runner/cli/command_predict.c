/* decavox predict: answers sound files, and prints each answer as soon as it is there. */
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/device/threads.h"
#include "engine/train/metrics.h"
#include "runner/cli/command.h"
#include "runner/evaluate/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct predict_options {
    int format, precision, algorithms;
    char device[DV_STRING_SIZE];
    int64_t threads;
    bool windows;
} predict_options;

static const dv_field fields[] = {
    DV_ENUM(predict_options, format, "text", dv_format_names, "output"),
    DV_DEVICE_TO_ANSWER(predict_options),
    DV_PRECISION_TO_ANSWER(predict_options),
    DV_ALGORITHMS_TO_ANSWER(predict_options),
    DV_INT(predict_options, threads, "0", 0, 1024, "0: as many as there are physical cores"),
    DV_BOOL(predict_options, windows, "false",
            "answers each window of a file that is longer than the model's: its start in seconds "
            "stands behind the file; the windows follow each other, and the last one ends with "
            "the file"),
    DV_END,
};

static const dv_options options = {
    .command = "predict",
    .operands = "CHECKPOINT FILE...",
    .summary = "Prints file, label and confidence for each sound file, each when it is there, in "
               "their order. CHECKPOINT is\na file or the name of a model that comes with decavox, "
               "as in eval, info, export and compare: lightweight, ...\nFILE may be a pipe, and - "
               "is standard input. Of a file longer than the window that the model looks at, a "
               "warning\nsays which part was seen. What would be an order to a terminal in a "
               "file's name, and bytes of it that are\nno UTF-8, are printed as \\xNN.",
    .least = 2,
    .most = 1U << 20,
    .fields = fields,
    .checkpoint = true,
};

/* Who prints the answers, one by one. */
typedef struct printer {
    const dv_model *model;
    const char *const *files;
    const dv_answer *answers;
    int format;
    bool windows;
    int64_t failed; /* files without an answer */
} printer;

/* `start`: of the window, "" where there is one answer to the file. */
static void print_line(const dv_model *model, const char *file, const char *start,
                       const float *logits)
{
    int64_t classes = dv_model_classes(model);
    int64_t best = dv_argmax(logits, classes);
    double confidence = exp(-dv_cross_entropy(logits, classes, best));
    printf("%s  %s%s  %.4f\n", dv_show(file).text, start, dv_model_label(model, (size_t)best),
           confidence);
}

static void print_text(const printer *p, const char *file, const dv_answer *answer)
{
    if (!p->windows)
        print_line(p->model, file, "", answer->logits);
    for (int64_t i = 0; p->windows && i < answer->stretch_count; i++) {
        char start[32];
        snprintf(start, sizeof start, "%.2f  ", answer->stretches[i].from);
        print_line(p->model, file, start, answer->stretches[i].logits);
    }
}

static json_t *windows_json(const printer *p, const dv_answer *answer)
{
    json_t *windows = json_array();
    for (int64_t i = 0; i < answer->stretch_count; i++) {
        const dv_stretch *stretch = &answer->stretches[i];
        json_t *window = json_pack("{s:f, s:f}", "start", stretch->from, "end", stretch->to);
        json_t *said = dv_answer_json(p->model, NULL, stretch->logits);
        json_object_update(window, said);
        json_decref(said);
        json_array_append_new(windows, window);
    }
    return windows;
}

static json_t *answer_json(const printer *p, const char *file, const dv_answer *answer)
{
    if (answer->status != DV_OK)
        return json_pack("{s:o, s:o}", "file", dv_text_json(file), "error",
                         dv_text_json(answer->message));
    const dv_seen *seen = &answer->seen;
    if (p->windows)
        return json_pack("{s:o, s:f, s:o}", "file", dv_text_json(file), "seconds", seen->seconds,
                         "windows", windows_json(p, answer));
    json_t *json = dv_answer_json(p->model, file, answer->logits);
    json_object_set_new(json, "seconds", json_real(seen->seconds));
    json_object_set_new(json, "seconds_seen", json_real(seen->to - seen->from));
    json_object_set_new(json, "seen_from", json_real(seen->from));
    return json;
}

/* An element of the list, indented as the list would be if it were printed at once. */
static void print_json(const printer *p, int64_t i)
{
    json_t *json = answer_json(p, p->files[i], &p->answers[i]);
    char *text = json != NULL ? json_dumps(json, dv_json_flags(stdout)) : NULL;
    printf("%s\n  ", i > 0 ? "," : "");
    for (const char *c = text != NULL ? text : "null"; *c != '\0'; c++) {
        putchar(*c);
        if (*c == '\n')
            fputs("  ", stdout);
    }
    free(text);
    json_decref(json);
}

static void print_answer(void *user, int64_t i)
{
    printer *p = user;
    const dv_answer *answer = &p->answers[i];
    if (answer->status != DV_OK) {
        fprintf(stderr, "decavox predict: %s\n", answer->message);
        p->failed++;
    }
    if (p->format == DV_FORMAT_JSON)
        print_json(p, i);
    else if (answer->status == DV_OK)
        print_text(p, p->files[i], answer);
    (void)fflush(stdout); /* main looks at what has failed */
}

/* Prints each answer when it and those before it are there; a list of JSON is always closed. */
static dv_status print_answers(dv_session *session, const dv_arguments *arguments,
                               dv_answer *answers, const predict_options *chosen, int64_t *failed)
{
    printer p = {.model = dv_session_model(session),
                 .files = arguments->operands + 1,
                 .answers = answers,
                 .format = chosen->format,
                 .windows = chosen->windows};
    dv_telling how = {.streams = true,
                      .windows = chosen->windows,
                      .hint = "decavox predict --windows answers each",
                      .tell = print_answer,
                      .user = &p};
    if (p.format == DV_FORMAT_JSON)
        printf("[");
    dv_status status =
        dv_session_answer_files(session, p.files, (int64_t)arguments->count - 1, answers, &how);
    if (p.format == DV_FORMAT_JSON)
        printf("\n]\n");
    *failed = p.failed;
    return status;
}

static dv_status check_standard_input(const dv_arguments *arguments)
{
    int times = 0;
    for (size_t i = 1; i < arguments->count; i++)
        times += strcmp(arguments->operands[i], "-") == 0;
    if (times > 1)
        return DV_FAIL(DV_EARG, "- is given %d times; standard input can be read only once", times);
    return DV_OK;
}

/* Answers the files. One block of memory holds the logits of all of them. */
static dv_status answer(dv_session *session, const dv_arguments *arguments,
                        const predict_options *chosen, int64_t *failed)
{
    size_t count = arguments->count - 1, classes = dv_model_label_count(dv_session_model(session));
    dv_answer *answers = NULL;
    dv_status status = dv_calloc(count, sizeof *answers, &answers);
    if (status == DV_OK)
        status = dv_calloc(count * classes, sizeof *answers->logits, &answers->logits);
    float *logits = status == DV_OK ? answers->logits : NULL;
    if (status == DV_OK)
        status = print_answers(session, arguments, answers, chosen, failed);
    free(logits);
    free(answers);
    return status;
}

/* Never more threads than files; of windows nobody knows how many there are. */
static dv_status create_session(dv_model *model, const predict_options *chosen, size_t files,
                                dv_session **out)
{
    int64_t clips = chosen->windows ? INT32_MAX : (int64_t)files;
    int64_t threads = chosen->threads > 0 ? chosen->threads : dv_physical_cores();
    const dv_session_options how = {.size = sizeof how,
                                    .capacity = dv_session_capacity_for(model, clips),
                                    .threads = (int)(threads < clips ? threads : clips)};
    return dv_session_create(model, &how, out);
}

static dv_status predict(const dv_arguments *arguments, const predict_options *chosen,
                         int64_t *failed)
{
    dv_model *model;
    dv_session *session = NULL;
    DV_TRY(check_standard_input(arguments));
    DV_TRY(dv_command_open_model(arguments->operands[0], chosen->device, chosen->precision,
                                 chosen->algorithms, &model));
    dv_status status = create_session(model, chosen, arguments->count - 1, &session);
    if (status == DV_OK)
        status = answer(session, arguments, chosen, failed);
    dv_session_free(session);
    dv_model_close(model);
    return status;
}

int dv_command_predict(int argc, char **argv)
{
    predict_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    int64_t failed = 0;
    dv_status status = predict(&arguments, &chosen, &failed);
    dv_arguments_free(&arguments);
    if (status != DV_OK)
        return dv_command_fail("predict", status);
    return failed > 0 ? DV_EXIT_FAILED : DV_EXIT_GOOD;
}
