/* decavox compare: measures models side by side, and prints or writes the comparison. */
#include "runner/cli/command_compare.h"
#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "runner/compare/recommendation.h"
#include "runner/experiment/experiment.h"

#include <stdlib.h>

enum { TABLE, JSON, CSV, HTML, AUTO };
static const char *const format_names[] = {"table", "json", "csv", "html", "auto", NULL};

static const char *const use_case_names[] = {DV_USE_CASE_NAMES, [DV_USE_CASES] = "none", NULL};

static const dv_field fields[] = {
    DV_COMPARISON_FIELDS,
    DV_ENUM(dv_comparison_options, format, "auto", format_names,
            "form of the output; 'auto' follows the ending of --out, and is a table without one"),
    DV_PATH(dv_comparison_options, out, "", "file to write; default: standard output"),
    DV_PATH(dv_comparison_options, svg, "",
            "write a picture of accuracy against latency to this file too"),
    DV_ENUM(dv_comparison_options, use_case, "none", use_case_names,
            "recommend a model for this use, as 'decavox recommend' does"),
    DV_RECOMMEND_FIELDS,
    DV_OUTPUT_FORCE(dv_comparison_options),
    DV_END,
};

static const char *const examples[] = {
    "decavox compare",
    "decavox compare lightweight mini --format json --out figures.json",
    "decavox compare runs/* --format html --out models.html",
    NULL,
};

static const dv_options options = {
    .command = "compare",
    .brief = "measures models side by side on this machine",
    .operands = "[CHECKPOINT|CONFIG|RUN ...]",
    .summary =
        "Measures models on this machine: size, work, latency, throughput, memory, and the time to "
        "the first answer. The accuracy of a CHECKPOINT comes from its card, that of a RUN (the "
        "folder of a finished run) from its report.json. Accuracies on different clips are not "
        "compared. Without an operand it measures the models that come with decavox, and its other "
        "configurations except resnet18.\n\n"
        "Measurements are kept in $XDG_CACHE_HOME/decavox or ~/.cache/decavox. They hold for this "
        "program, file, device and number of threads. A measurement is disturbed if its thread had "
        "a processor for less than 90 % of the time, or if everything else used more than a "
        "quarter "
        "of a processor and more than half of the processors that it leaves over. It is shown with "
        "a "
        "mark, and kept only with --keep_busy.",
    .examples = examples,
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

/* Spares the files of a configuration, which is read once more to find them. */
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

static int format_of(const char *out)
{
    if (dv_ends_with(out, ".json"))
        return JSON;
    if (dv_ends_with(out, ".csv"))
        return CSV;
    return dv_ends_with(out, ".html") ? HTML : TABLE;
}

/* Refuses options that have no effect together. */
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

/* Runs as a process that measures, recommends a model, or compares models. */
static int run(int argc, char **argv)
{
    if (dv_measuring_is_child(argc, argv))
        return dv_measuring_child(argc, argv);
    dv_comparison_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    chosen.program = dv_this_program;
    if (chosen.format == AUTO)
        chosen.format = format_of(chosen.out);
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

const dv_command dv_command_compare = {&options, run};
