/* decavox compare: measures models side by side, and prints or writes the comparison. */
#include "runner/cli/command_compare.h"
#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "runner/compare/recommendation.h"
#include "runner/experiment/experiment.h"

#include <stdlib.h>

enum { TABLE, JSON, CSV, HTML };
static const char *const format_names[] = {"table", "json", "csv", "html", NULL};

static const char *const use_case_names[] = {DV_USE_CASE_NAMES, [DV_USE_CASES] = "none", NULL};

static const dv_field fields[] = {
    DV_COMPARISON_FIELDS,
    DV_ENUM(dv_comparison_options, format, "table", format_names, "output"),
    DV_STRING(dv_comparison_options, out, "", "file to write; default: standard output"),
    DV_STRING(dv_comparison_options, svg, "",
              "write accuracy against latency as a picture to this file too"),
    DV_ENUM(dv_comparison_options, use_case, "none", use_case_names,
            "recommend one, as `decavox recommend` does"),
    DV_RECOMMEND_FIELDS,
    DV_OUTPUT_FORCE(dv_comparison_options),
    DV_END,
};

static const dv_options options = {
    .command = "compare",
    .operands = "[CHECKPOINT|CONFIG|RUN ...]",
    .summary =
        "Measures models on this machine: size, work, latency, throughput, memory, time to the\n"
        "first answer. CHECKPOINT has the accuracy of its card, where it has one. RUN is the\n"
        "folder of a finished run, and has that of its report.json; accuracies on other clips are\n"
        "not compared. Without a file: the trained models that come with decavox, and\n"
        "configurations for its other models but resnet18.\n\n"
        "Measurements are kept in $XDG_CACHE_HOME/decavox or ~/.cache/decavox, and hold for this\n"
        "program, file, device and number of threads. One is disturbed where its thread had a\n"
        "processor for less than 90 % of the time, or where everything else used more than a\n"
        "quarter of a processor and half of those that it leaves over: it is shown with a mark,\n"
        "and not kept without --keep_busy.",
    .least = 0,
    .most = DV_COMPARISON_MOST,
    .fields = fields,
};

/* ---- Output ---- */

dv_status dv_command_write(const char *path, void (*print)(const void *user, FILE *out),
                           const void *user)
{
    if (path[0] == '\0') {
        print(user, stdout);
        return DV_OK;
    }
    char *text;
    size_t size;
    dv_status status = dv_text_of(print, user, &text, &size);
    if (status != DV_OK)
        return dv_fail_within(status, "%s", path);
    status = dv_atomic_file_store(path, text, size);
    free(text);
    return status;
}

/* The files of a configuration, which is read again for it. */
static dv_status spare_configuration(const dv_outputs *outputs, const dv_model_figures *model)
{
    dv_experiment experiment;
    DV_TRY(dv_experiment_read(model->path, NULL, &experiment));
    dv_status status = dv_outputs_spare_tree(outputs, experiment.files);
    dv_experiment_free(&experiment);
    return status;
}

dv_status dv_command_check_outputs(const dv_comparison *comparison, dv_output_kind kind)
{
    const dv_comparison_options *chosen = comparison->options;
    dv_outputs outputs = {
        .list = {{"--out", chosen->out, kind}, {"--svg", chosen->svg, DV_OUTPUT_SVG}},
        .count = 2,
        .force = chosen->force};
    if (chosen->out[0] == '\0' && chosen->svg[0] == '\0')
        return DV_OK;
    for (size_t i = 0; i < comparison->count; i++) {
        const dv_model_figures *model = &comparison->models[i];
        char card[DV_STRING_SIZE + 8];
        dv_card_path(model, card);
        DV_TRY(dv_outputs_spare(&outputs, "a model", model->path));
        DV_TRY(dv_outputs_spare(&outputs, "a model's card", card));
        if (!model->is_checkpoint)
            DV_TRY(spare_configuration(&outputs, model));
    }
    return dv_outputs_check(&outputs);
}

static void print_comparison(const void *user, FILE *out)
{
    static void (*const forms[])(const dv_comparison *, FILE *) = {
        [TABLE] = dv_comparison_table,
        [JSON] = dv_comparison_json,
        [CSV] = dv_comparison_csv,
        [HTML] = dv_comparison_html,
    };
    const dv_comparison *comparison = user;
    forms[comparison->options->format](comparison, out);
}

static void print_picture(const void *user, FILE *out)
{
    dv_comparison_svg(user, out);
}

/* ---- The command ---- */

static dv_status check_picture(const dv_comparison *comparison)
{
    if (comparison->options->svg[0] == '\0')
        return DV_OK;
    for (size_t i = 0; i < comparison->count; i++) {
        if (dv_accuracy_known(&comparison->models[i].accuracy))
            return DV_OK;
    }
    return DV_FAIL(DV_EARG, "--svg: nothing can be drawn, since it shows accuracy against latency, "
                            "and no model's accuracy is known");
}

/* Lists the models, checks what may be written, measures, and writes. */
static dv_status compare(const dv_comparison_options *chosen, const dv_arguments *arguments)
{
    static const dv_output_kind kinds[] = {[TABLE] = DV_OUTPUT_TABLE,
                                           [JSON] = DV_OUTPUT_JSON,
                                           [CSV] = DV_OUTPUT_CSV,
                                           [HTML] = DV_OUTPUT_HTML};
    dv_comparison all;
    dv_measuring measuring;
    DV_TRY(dv_comparison_list(chosen, dv_measuring_begin(&measuring), arguments->operands,
                              arguments->count, &all));
    dv_status status = check_picture(&all);
    if (status == DV_OK)
        status = dv_command_check_outputs(&all, kinds[chosen->format]);
    if (status == DV_OK)
        status = dv_comparison_measure(&all);
    dv_measuring_end(&measuring);
    if (status == DV_OK)
        status = dv_command_write(chosen->out, print_comparison, &all);
    if (status == DV_OK && chosen->svg[0] != '\0')
        status = dv_command_write(chosen->svg, print_picture, &all);
    dv_comparison_free(&all);
    return status;
}

/* What goes together. */
static dv_status check(const dv_comparison_options *chosen)
{
    bool limited =
        chosen->max_latency_ms > 0 || chosen->max_size_mb > 0 || chosen->min_accuracy > 0;
    if (chosen->use_case == DV_USE_CASES)
        return limited
                   ? DV_FAIL(DV_EARG,
                             "--max_latency_ms, --max_size_mb and --min_accuracy need --use_case")
                   : DV_OK;
    if (chosen->format == CSV || chosen->format == HTML || chosen->svg[0] != '\0')
        return DV_FAIL(DV_EARG, "--use_case is answered as table or json, without --svg");
    return DV_OK;
}

/* A process that measures, a recommendation, or a comparison. */
int dv_command_compare(int argc, char **argv)
{
    if (dv_measuring_is_child(argc, argv))
        return dv_measuring_child(argc, argv);
    dv_comparison_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    chosen.program = dv_this_program;
    dv_status status = check(&chosen);
    if (status == DV_OK && chosen.use_case != DV_USE_CASES) {
        exit_code = dv_recommend_command("compare", &chosen, &arguments, chosen.format == JSON);
    } else {
        if (status == DV_OK)
            status = compare(&chosen, &arguments);
        exit_code = status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("compare", status);
    }
    dv_arguments_free(&arguments);
    return exit_code;
}
