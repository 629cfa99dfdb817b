#include "engine/core/text.h"
#include "engine/train/metrics.h"
#include "runner/command.h"
#include "runner/report.h"

#include <math.h>
#include <stdlib.h>

typedef struct predict_options {
    int format, algorithms;
    char device[DV_STRING_SIZE];
    int64_t threads;
} predict_options;

static const dv_field fields[] = {
    DV_ENUM(predict_options, format, "text", dv_format_names, "output"),
    DV_DEVICE_TO_ANSWER(predict_options),
    DV_ALGORITHMS_TO_ANSWER(predict_options),
    DV_INT(predict_options, threads, "0", 0, 1024, "0: as many as there are physical cores"),
    DV_END,
};

static const dv_options options = {
    .command = "predict",
    .operands = "CHECKPOINT FILE...",
    .summary = "Prints file, label and confidence for each sound file, each when it is there, in "
               "their order. CHECKPOINT is\na file or the name of a model that comes with decavox, "
               "as in eval, info, export and compare: lightweight, ...",
    .least = 2,
    .most = 1U << 20,
    .fields = fields,
    .checkpoint = true,
};

/* Who prints the answers, one by one. */
typedef struct printer {
    const dv_predictor *predictor;
    const char *const *files;
    const dv_answer *answers;
    int format;
    int64_t failed; /* files without an answer */
} printer;

static void print_text(const dv_predictor *predictor, const char *file, const dv_answer *answer)
{
    int64_t classes = dv_predictor_classes(predictor);
    int64_t best = dv_argmax(answer->logits, classes);
    double confidence = exp(-dv_cross_entropy(answer->logits, classes, best));
    printf("%s  %s  %.4f\n", dv_show(file).text, dv_predictor_label(predictor, best), confidence);
}

/* An element of the list, indented as the list would be if it were printed at once. */
static void print_json(const printer *p, int64_t i)
{
    const dv_answer *answer = &p->answers[i];
    json_t *json = answer->status == DV_OK
                       ? dv_answer_json(p->predictor, p->files[i], answer->logits)
                       : json_pack("{s:o, s:o}", "file", dv_text_json(p->files[i]), "error",
                                   dv_text_json(answer->message));
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
        print_text(p->predictor, p->files[i], answer);
    (void)fflush(stdout); /* main looks at what has failed */
}

/* Prints each answer when it and those before it are there; a list of JSON is always closed. */
static dv_status print_answers(dv_predictor *predictor, const dv_arguments *arguments,
                               dv_answer *answers, int format, int64_t *failed)
{
    printer p = {.predictor = predictor,
                 .files = arguments->operands + 1,
                 .answers = answers,
                 .format = format};
    if (format == DV_FORMAT_JSON)
        printf("[");
    dv_status status = dv_predictor_files_told(predictor, p.files, (int64_t)arguments->count - 1,
                                               answers, print_answer, &p);
    if (format == DV_FORMAT_JSON)
        printf("\n]\n");
    *failed = p.failed;
    return status;
}

static dv_status predict(const dv_arguments *arguments, const predict_options *chosen,
                         int64_t *failed)
{
    dv_predictor *predictor;
    DV_TRY(
        dv_predictor_load(arguments->operands[0],
                          &(dv_predictor_options){.device = chosen->device,
                                                  .threads = (int)chosen->threads,
                                                  .algorithms = (dv_algorithms)chosen->algorithms,
                                                  .log = dv_command_log()},
                          &predictor));
    int64_t count = (int64_t)arguments->count - 1, classes = dv_predictor_classes(predictor);
    dv_answer *answers = NULL;
    float *logits = NULL;
    dv_status status = dv__calloc((size_t)count, sizeof *answers, &answers);
    if (status == DV_OK)
        status = dv__calloc((size_t)(count * classes), sizeof *logits, &logits);
    for (int64_t i = 0; status == DV_OK && i < count; i++)
        answers[i].logits = logits + i * classes;
    if (status == DV_OK)
        status = print_answers(predictor, arguments, answers, chosen->format, failed);
    free(logits);
    free(answers);
    dv_predictor_free(predictor);
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
