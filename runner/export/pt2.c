/* Writes programs as .pt2 archives, and reads them again. */
#include "runner/export/pt2.h"
#include "runner/export/archive.h"
#include "runner/export/pickle.h"
#include "runner/export/pt2_graph.h"
#include "runner/export/zip.h"

#include <stdlib.h>
#include <string.h>

static const char model_entry[] = "models/model.json";
static const char weights_entry[] = "data/weights/model_weights_config.json";
static const char sample_entry[] = "data/sample_inputs/model.pt";
static const char weights_prefix[] = "data/weights/" DV_PT2_WEIGHT;

/* Entries that are the same in every archive. The only constants are the weights. */
typedef struct fixed_entry {
    const char *name, *text;
} fixed_entry;

static const fixed_entry fixed_entries[] = {
    {"archive_format", "pt2"},
    {"archive_version", "0"},
    {".data/version", DV_ARCHIVE_VERSION},
    {"byteorder", "little"},
    {"data/constants/model_constants_config.json", "{\"config\":{}}"},
};
enum { FIXED_ENTRIES = sizeof fixed_entries / sizeof *fixed_entries };

/* Adds an entry and frees the JSON. */
static dv_status add_json(dv_zip *zip, const char *name, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: '%s'", name);
    dv_zip_add(zip, name, text, strlen(text));
    free(text);
    return DV_OK;
}

/* Pickles a tensor of zeros. All its elements are the single one of the storage "0". */
static void pickle_zeros(const dv_program *program, const dv_tensor *tensor, dv_protobuf *out)
{
    dv_archive_tensor zeros = {
        .element = tensor->element, .rank = tensor->rank, .count = 1, .storage = "0"};
    for (int axis = 0; axis < tensor->rank; axis++)
        zeros.sizes[axis] = dv_pt2_example(program, tensor->size[axis]);
    dv_archive_pickle_tensor(out, &zeros);
}

/* Writes the example inputs as torch.save does, for AOTInductor: a tuple of tensors and no
   keywords. All inputs have one type. */
static dv_status write_sample(const dv_program *program, dv_protobuf *out)
{
    static const unsigned char zero[8];
    dv_zip zip = {0};
    dv_protobuf values = {0};
    dv_pickle_begin(&values);
    dv_pickle_step_add(&values, DV_PICKLE_MARK);
    dv_pickle_step_add(&values, DV_PICKLE_MARK);
    for (int i = 0; i < program->input_count; i++)
        pickle_zeros(program, &program->tensors[program->inputs[i]], &values);
    dv_pickle_step_add(&values, DV_PICKLE_TUPLE);
    dv_pickle_step_add(&values, DV_PICKLE_EMPTY_DICT);
    dv_pickle_step_add(&values, DV_PICKLE_TUPLE);
    dv_pickle_step_add(&values, DV_PICKLE_STOP);
    dv_zip_add_part(&zip, "data.pkl", &values);
    dv_zip_add(&zip, "version", DV_ARCHIVE_VERSION, strlen(DV_ARCHIVE_VERSION));
    dv_zip_add(&zip, "data/0", zero, dv_element_size(program->tensors[program->inputs[0]].element));
    return dv_zip_end(&zip, out);
}

static dv_status add_sample(dv_zip *zip, const dv_program *program)
{
    dv_protobuf sample;
    DV_TRY(write_sample(program, &sample));
    dv_zip_add_part(zip, sample_entry, &sample);
    return DV_OK;
}

/* Writes all entries in a fixed order. */
dv_status dv_pt2_write(const dv_exported *exported, dv_protobuf *out)
{
    dv_zip zip = {0};
    dv_aten_name *names;
    *out = (dv_protobuf){0};
    DV_TRY(dv_aten_names(exported->program, &names));
    dv_pt2_graph graph = {exported->program, names};
    for (int i = 0; i < FIXED_ENTRIES; i++)
        dv_zip_add(&zip, fixed_entries[i].name, fixed_entries[i].text,
                   strlen(fixed_entries[i].text));
    dv_status status = add_json(&zip, model_entry, dv_pt2_program(&graph));
    if (status == DV_OK)
        status = add_json(&zip, weights_entry, dv_pt2_weights(&graph));
    if (status == DV_OK)
        status = add_sample(&zip, exported->program);
    free(names);
    dv_archive_add_constants(&zip, exported->program, weights_prefix);
    dv_archive_add_notes(&zip, exported);
    dv_status ended = dv_zip_end(&zip, out);
    if (status != DV_OK)
        dv_protobuf_free(out);
    return status != DV_OK ? status : ended;
}

/* ---- Reading again ---- */

static dv_status read_json(const dv_zip_reader *zip, const char *name, json_t **out)
{
    dv_zip_entry entry;
    json_error_t error;
    DV_TRY(dv_zip_find(zip, name, &entry));
    *out = json_loadb((const char *)entry.bytes, entry.size, 0, &error);
    if (*out == NULL)
        return DV_FAIL(DV_EFORMAT, "'%s' is not valid JSON: %s", name, error.text);
    return DV_OK;
}

static const char *text_of(const json_t *dictionary, const char *key)
{
    const char *text = json_string_value(json_object_get(dictionary, key));
    return text != NULL ? text : "";
}

/* Finds the next node from *at on that is this call. False if there is none. */
static bool find_node(const json_t *nodes, size_t *at, const dv_aten_call *call, const char *output)
{
    dv_pt2_target target = dv_pt2_target_of(call);
    for (; *at < json_array_size(nodes); (*at)++) {
        const json_t *node = json_array_get(nodes, *at);
        const json_t *first = json_array_get(json_object_get(node, "outputs"), 0);
        if (strcmp(text_of(node, "target"), target.text) == 0 &&
            strcmp(text_of(json_object_get(first, "as_tensor"), "name"), output) == 0)
            return true;
    }
    return false;
}

/* Checks that each call has its node, in the order of the program. */
static dv_status check_nodes(const dv_pt2_graph *graph, const json_t *model)
{
    const json_t *body = json_object_get(json_object_get(model, "graph_module"), "graph");
    const json_t *nodes = json_object_get(body, "nodes");
    size_t at = 0;
    for (size_t i = 0; i < graph->program->statement_count; i++) {
        dv_aten_call calls[DV_ATEN_CALLS];
        int count = dv_aten_lower(graph->program, &graph->program->statements[i], calls);
        for (int k = 0; k < count; k++) {
            if (!find_node(nodes, &at, &calls[k], graph->names[calls[k].output].text))
                return DV_FAIL(DV_EFORMAT, "the graph lacks '%s'",
                               graph->program->statements[i].name);
        }
    }
    return DV_OK;
}

/* Checks that each constant has its entry in the configuration, in the order of the program. */
static dv_status check_weights(const dv_pt2_graph *graph, const json_t *weights)
{
    const json_t *config = json_object_get(weights, "config");
    int count = 0;
    for (size_t i = 0; i < graph->program->tensor_count; i++) {
        if (!dv_aten_is_stored(&graph->program->tensors[i]))
            continue;
        const char *name = graph->names[i].text;
        dv_archive_name entry = dv_archive_constant_name(DV_PT2_WEIGHT, count++);
        if (strcmp(text_of(json_object_get(config, name), "path_name"), entry.text) != 0)
            return DV_FAIL(DV_EFORMAT, "the tensor '%s' is not where it should be", name);
    }
    return DV_OK;
}

static dv_status check_json(const dv_zip_reader *zip, const dv_pt2_graph *graph)
{
    json_t *model, *weights = NULL;
    DV_TRY(read_json(zip, model_entry, &model));
    dv_status status = check_nodes(graph, model);
    if (status == DV_OK)
        status = read_json(zip, weights_entry, &weights);
    if (status == DV_OK)
        status = check_weights(graph, weights);
    json_decref(model);
    json_decref(weights);
    return status;
}

static dv_status check_sample(const dv_zip_reader *zip)
{
    dv_zip_reader inner;
    dv_zip_entry sample, values;
    DV_TRY(dv_zip_find(zip, sample_entry, &sample));
    DV_TRY(dv_zip_open(sample.bytes, sample.size, &inner));
    return dv_zip_find(&inner, "data.pkl", &values);
}

dv_status dv_pt2_check(const dv_exported *exported, const dv_protobuf *bytes)
{
    dv_zip_reader zip;
    dv_aten_name *names;
    DV_TRY(dv_zip_open(bytes->bytes, bytes->size, &zip));
    for (int i = 0; i < FIXED_ENTRIES; i++)
        DV_TRY(dv_zip_expect(&zip, fixed_entries[i].name, fixed_entries[i].text,
                             strlen(fixed_entries[i].text)));
    DV_TRY(check_sample(&zip));
    DV_TRY(dv_archive_check_constants(&zip, exported->program, weights_prefix));
    DV_TRY(dv_archive_check_notes(&zip, exported));
    DV_TRY(dv_aten_names(exported->program, &names));
    dv_status status = check_json(&zip, &(dv_pt2_graph){exported->program, names});
    free(names);
    return status;
}
