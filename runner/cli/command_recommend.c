/* decavox recommend: names the model to take for a use case. `compare --use_case` calls it too. */
#include "runner/cli/command_compare.h"
#include "runner/compare/recommendation.h"

static const dv_field fields[] = {
    DV_ENUM(dv_comparison_options, use_case, "balanced", dv_use_case_names,
            "purpose, as explained above"),
    DV_RECOMMEND_FIELDS,
    DV_COMPARISON_FIELDS,
    DV_ENUM(dv_comparison_options, format, "text", dv_format_names, "form of the output"),
    DV_PATH(dv_comparison_options, out, "", "file to write; default: standard output"),
    DV_OUTPUT_FORCE(dv_comparison_options),
    DV_END,
};

static const char *const examples[] = {
    "decavox recommend --use_case production --max_size_mb 8",
    "decavox recommend runs/* --use_case accuracy",
    NULL,
};

static const dv_options options = {
    .command = "recommend",
    .brief = "names the model to take for a purpose",
    .operands = "[CHECKPOINT|CONFIG|RUN ...]",
    .summary =
        "Recommends a model by measurements on this machine (see 'decavox help compare'), which "
        "are "
        "made first if there are none yet. Accuracies are those of the models' cards by one "
        "protocol, or of the runs' reports on the same clips. The exit code is 1 if no model will "
        "do. Each use case is a rule:",
    .examples = examples,
    .terms = dv_use_case_names,
    .meanings = dv_use_case_rules,
    .least = 0,
    .most = DV_COMPARISON_MOST,
    .fields = fields,
};

/* The recommendation and its form. */
typedef struct answer_page {
    const dv_comparison *comparison;
    const dv_limits *limits;
    const dv_recommendation *answer;
    bool json;
} answer_page;

static void print_answer(const void *user, FILE *out)
{
    const answer_page *page = user;
    dv_use_case use_case = (dv_use_case)page->comparison->options->use_case;
    if (page->json)
        dv_recommendation_json(page->comparison, use_case, page->limits, page->answer, out);
    else
        dv_recommendation_text(page->comparison, use_case, page->limits, page->answer, out);
}

static dv_limits limits_of(const dv_comparison_options *chosen)
{
    double share = chosen->min_accuracy > 1 ? 0.01 : 1; /* per cent, or a share */
    return (dv_limits){.latency = 1e-3 * chosen->max_latency_ms,
                       .bytes = 1e6 * chosen->max_size_mb,
                       .accuracy = share * chosen->min_accuracy};
}

/* Measures the models and names the best one for the use case. */
static dv_status recommend(const dv_comparison_options *chosen, const dv_arguments *arguments,
                           bool json, bool *found)
{
    dv_comparison all;
    dv_measuring measuring;
    DV_TRY(dv_comparison_list(chosen, dv_measuring_begin(&measuring), arguments->operands,
                              arguments->count, &all));
    dv_status status = dv_command_check_outputs(&all, json ? DV_OUTPUT_JSON : DV_OUTPUT_ADVICE);
    if (status == DV_OK)
        status = dv_comparison_measure(&all);
    dv_measuring_end(&measuring);
    if (status == DV_OK) {
        dv_recommendation answer;
        dv_limits limits = limits_of(chosen);
        answer_page page = {&all, &limits, &answer, json};
        dv_recommend(all.models, all.count, (dv_use_case)chosen->use_case, &limits, &answer);
        *found = answer.best != NULL;
        status = dv_command_write(chosen->out, print_answer, &page);
    }
    dv_comparison_free(&all);
    return status;
}

int dv_recommend_command(const char *command, const dv_comparison_options *chosen,
                         const dv_arguments *arguments, bool json)
{
    bool found = false;
    dv_status status = recommend(chosen, arguments, json, &found);
    if (status != DV_OK)
        return dv_command_fail(command, status);
    return found ? DV_EXIT_GOOD : DV_EXIT_FAILED;
}

static int run(int argc, char **argv)
{
    dv_comparison_options chosen = {.seconds = 0};
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    chosen.program = dv_this_program;
    exit_code =
        dv_recommend_command("recommend", &chosen, &arguments, chosen.format == DV_FORMAT_JSON);
    dv_arguments_free(&arguments);
    return exit_code;
}

const dv_command dv_command_recommend = {&options, run};
