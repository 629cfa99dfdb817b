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
    .summary = "Prints file, label and confidence for each sound file. CHECKPOINT is a file or the "
               "name of a model\nthat comes with decavox, as in eval, info, export and compare: "
               "lightweight, advanced, ...",
    .least = 2,
    .most = 1U << 20,
    .fields = fields,
    .checkpoint = true,
};

static void print_text(const dv_predictor *predictor, const char *file, const dv_answer *answer)
{
    int64_t classes = dv_predictor_classes(predictor);
    int64_t best = dv_argmax(answer->logits, classes);
    double confidence = exp(-dv_cross_entropy(answer->logits, classes, best));
    printf("%s  %s  %.4f\n", file, dv_predictor_label(predictor, best), confidence);
}

/* Prints all answers; the number of files without one. */
static int64_t print_answers(const dv_predictor *predictor, const char *const *files,
                             const dv_answer *answers, int64_t count, int format)
{
    int64_t failed = 0;
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) {
        if (answers[i].status != DV_OK) {
            fprintf(stderr, "decavox predict: %s\n", answers[i].message);
            failed++;
            json_array_append_new(list, json_pack("{s:o, s:o}", "file", dv_text_json(files[i]),
                                                  "error", dv_text_json(answers[i].message)));
        } else if (format == DV_FORMAT_JSON) {
            json_array_append_new(list, dv_answer_json(predictor, files[i], answers[i].logits));
        } else {
            print_text(predictor, files[i], &answers[i]);
        }
    }
    if (format == DV_FORMAT_JSON) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        printf("\n");
    }
    json_decref(list);
    return failed;
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
        status = dv_predictor_files(predictor, arguments->operands + 1, count, answers);
    if (status == DV_OK)
        *failed = print_answers(predictor, arguments->operands + 1, answers, count, chosen->format);
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
