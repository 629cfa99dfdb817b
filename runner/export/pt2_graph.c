/* Writes graphs of torch.export as JSON. The classes are those of torch/_export/serde/schema.py. */
#include "runner/export/pt2_graph.h"
#include "runner/export/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCHEMA_MAJOR = 8, SCHEMA_MINOR = 20, OPSET = 10, STRIDED = 7 };

/* Room for the text of a product of sizes. */
enum { FACTORS = 160 * DV_PROGRAM_AXES };

/* The values of symbols where torch requires an example. */
enum { EXAMPLE_BATCH = 4, EXAMPLE_SIZE = 16000 };

/* ---- Lists and dictionaries, which become NULL when memory runs out ---- */

static void append(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

static void put(json_t **dictionary, const char *key, json_t *value)
{
    if (json_object_set_new(*dictionary, key, value) != 0) {
        json_decref(*dictionary);
        *dictionary = NULL;
    }
}

/* ---- Sizes ---- */

int64_t dv_pt2_example(const dv_program *program, dv_size size)
{
    int64_t known;
    if (dv_program_known_size(program, size, &known))
        return known;
    return ((size.symbol == DV_SYMBOL_BATCH ? EXAMPLE_BATCH : EXAMPLE_SIZE) + size.add) /
           size.divide;
}

/* Unknown sizes have the names of torch: an "s" and a number. */
static void print_symbol(dv_symbol symbol, char name[8])
{
    snprintf(name, 8, "s%d", (int)symbol);
}

/* Prints a size as sympy's srepr does. sympy removes neutral terms and factors. */
static void print_size(dv_size size, char *text, size_t room)
{
    char name[8];
    print_symbol(size.symbol, name);
    int length = snprintf(text, room,
                          "FloorDiv(Add(Symbol('%s', positive=True, integer=True), "
                          "Integer(%" PRId64 ")), Integer(%" PRId64 ")), ",
                          name, size.add, size.divide);
    DV_ASSERT(length > 0 && (size_t)length < room);
}

/* SymInt: the product of sizes. */
static json_t *product(const dv_program *program, const dv_size *sizes, int count)
{
    int64_t known = 1, example = 1;
    char factors[FACTORS] = "", text[FACTORS + 64];
    for (int i = 0; i < count; i++) {
        int64_t size;
        size_t used = strlen(factors);
        if (dv_program_known_size(program, sizes[i], &size))
            known *= size;
        else
            print_size(sizes[i], factors + used, sizeof factors - used);
        example *= dv_pt2_example(program, sizes[i]);
    }
    if (factors[0] == '\0')
        return json_pack("{s:I}", "as_int", (json_int_t)known);
    snprintf(text, sizeof text, "Mul(%sInteger(%" PRId64 "))", factors, known);
    return json_pack("{s:{s:s, s:{s:I}}}", "as_expr", "expr_str", text, "hint", "as_int",
                     (json_int_t)example);
}

/* TensorMeta. The numbers of types are those of c10 plus one. */
static json_t *tensor_meta(const dv_program *program, const dv_tensor *tensor, dv_element element)
{
    json_t *sizes = json_array(), *strides = json_array();
    for (int axis = 0; axis < tensor->rank; axis++) {
        append(&sizes, product(program, tensor->size + axis, 1));
        append(&strides, product(program, tensor->size + axis + 1, tensor->rank - axis - 1));
    }
    return json_pack("{s:i, s:o, s:b, s:{s:s, s:n}, s:o, s:{s:i}, s:i}", "dtype",
                     dv_aten_scalar_type(element) + 1, "sizes", sizes, "requires_grad", 0, "device",
                     "type", "cpu", "index", "strides", strides, "storage_offset", "as_int", 0,
                     "layout", STRIDED);
}

/* ---- Arguments ---- */

/* Make {"name": ...}, and an Argument of it. */
static json_t *named(const dv_pt2_graph *graph, dv_value value)
{
    return json_pack("{s:s}", "name", graph->names[value].text);
}

static json_t *as_tensor(const dv_pt2_graph *graph, dv_value value)
{
    return json_pack("{s:o}", "as_tensor", named(graph, value));
}

/* The name of a value that is computed beside a tensor. */
typedef struct other_name {
    char text[sizeof(dv_aten_name) + 8];
} other_name;

static other_name name_beside(const dv_pt2_graph *graph, dv_value value, const char *what)
{
    other_name name;
    snprintf(name.text, sizeof name.text, "%s_%s", graph->names[value].text, what);
    return name;
}

/* The name of the integer from which a call takes the size of an axis. */
static other_name size_name(const dv_pt2_graph *graph, const dv_aten_call *call)
{
    return name_beside(graph, call->output, "size");
}

/* The name of the second output of a call. */
static other_name second_name(const dv_pt2_graph *graph, const dv_aten_call *call)
{
    return name_beside(graph, call->output, "places");
}

static json_t *list_of(const dv_pt2_graph *graph, const dv_aten_argument *argument)
{
    json_t *list = json_array();
    for (int i = 0; i < argument->count; i++)
        append(&list, argument->kind == DV_ATEN_TENSORS
                          ? named(graph, argument->tensors[i])
                          : json_integer((json_int_t)argument->integers[i]));
    return list;
}

/* Argument. */
static json_t *argument_of(const dv_pt2_graph *graph, const dv_aten_call *call,
                           const dv_aten_argument *argument)
{
    switch (argument->kind) {
    case DV_ATEN_NONE:
        break;
    case DV_ATEN_TENSOR:
        return as_tensor(graph, argument->tensors[0]);
    case DV_ATEN_TENSORS:
        return json_pack("{s:o}", "as_tensors", list_of(graph, argument));
    case DV_ATEN_INTEGER:
        return json_pack("{s:I}", "as_int", (json_int_t)argument->integers[0]);
    case DV_ATEN_INTEGERS:
        return json_pack("{s:o}", "as_ints", list_of(graph, argument));
    case DV_ATEN_NUMBER:
        return json_pack("{s:f}", "as_float", argument->number);
    case DV_ATEN_BOOL:
        return json_pack("{s:b}", "as_bool", (int)argument->integers[0]);
    case DV_ATEN_ELEMENT:
        return json_pack("{s:i}", "as_scalar_type", dv_aten_scalar_type(argument->element) + 1);
    case DV_ATEN_DEVICE:
        return json_pack("{s:{s:s, s:n}}", "as_device", "type", "cpu", "index");
    case DV_ATEN_SIZE:
        return json_pack("{s:{s:s}}", "as_sym_int", "as_name", size_name(graph, call).text);
    }
    return json_pack("{s:b}", "as_none", 1);
}

/* ---- Nodes ---- */

/* The parts of the graph that is being written. */
typedef struct parts {
    json_t *nodes, *tensors, *sizes;
} parts;

static void add_tensor(const dv_pt2_graph *graph, parts *to, dv_value value)
{
    const dv_tensor *tensor = &graph->program->tensors[value];
    put(&to->tensors, graph->names[value].text,
        tensor_meta(graph->program, tensor, tensor->element));
}

dv_pt2_target dv_pt2_target_of(const dv_aten_call *call)
{
    dv_pt2_target target;
    snprintf(target.text, sizeof target.text, "torch.ops.aten.%s.%s", call->function,
             call->overload);
    return target;
}

static void add_node(parts *to, const char *target, json_t *inputs, json_t *outputs)
{
    append(&to->nodes, json_pack("{s:s, s:o, s:o, s:{}}", "target", target, "inputs", inputs,
                                 "outputs", outputs, "metadata"));
}

static json_t *named_argument(const char *name, json_t *argument)
{
    return json_pack("{s:s, s:o}", "name", name, "arg", argument);
}

/* Adds the node that computes a size, in front of the node that uses it. */
static void add_size(const dv_pt2_graph *graph, parts *to, const dv_aten_call *call,
                     const dv_aten_argument *argument)
{
    other_name name = size_name(graph, call);
    dv_value of = argument->tensors[0];
    int axis = (int)argument->integers[0];
    json_t *inputs = json_array(), *outputs = json_array();
    append(&inputs, named_argument("self", as_tensor(graph, of)));
    append(&inputs, named_argument("dim", json_pack("{s:i}", "as_int", axis)));
    append(&outputs, json_pack("{s:{s:s}}", "as_sym_int", "as_name", name.text));
    add_node(to, "torch.ops.aten.sym_size.int", inputs, outputs);
    put(&to->sizes, name.text, product(graph->program, graph->program->tensors[of].size + axis, 1));
}

static void add_call(const dv_pt2_graph *graph, parts *to, const dv_aten_call *call)
{
    json_t *inputs = json_array(), *outputs = json_array();
    for (int i = 0; i < call->argument_count; i++) {
        const dv_aten_argument *argument = &call->arguments[i];
        if (argument->kind == DV_ATEN_SIZE)
            add_size(graph, to, call, argument);
        append(&inputs, named_argument(argument->name, argument_of(graph, call, argument)));
    }
    append(&outputs, as_tensor(graph, call->output));
    add_tensor(graph, to, call->output);
    if (call->second_output) {
        other_name name = second_name(graph, call);
        append(&outputs, json_pack("{s:{s:s}}", "as_tensor", "name", name.text));
        put(&to->tensors, name.text,
            tensor_meta(graph->program, &graph->program->tensors[call->output], DV_ELEMENT_I64));
    }
    add_node(to, dv_pt2_target_of(call).text, inputs, outputs);
}

/* ---- Inputs and outputs ---- */

/* Writes Graph.inputs and GraphSignature.input_specs: the parameters, the other constants, and the
   inputs. */
static void add_inputs(const dv_pt2_graph *graph, parts *to, json_t **inputs, json_t **specs)
{
    const dv_program *program = graph->program;
    for (size_t k = 0; k < 2 * program->tensor_count; k++) {
        size_t i = k % program->tensor_count;
        bool parameters = k < program->tensor_count;
        const dv_tensor *tensor = &program->tensors[i];
        const char *name = graph->names[i].text;
        if (!dv_aten_is_stored(tensor) || dv_aten_is_parameter(tensor) != parameters)
            continue;
        add_tensor(graph, to, (dv_value)i);
        append(inputs, as_tensor(graph, (dv_value)i));
        append(specs, parameters ? json_pack("{s:{s:{s:s}, s:s}}", "parameter", "arg", "name", name,
                                             "parameter_name", name)
                                 : json_pack("{s:{s:{s:s}, s:s, s:b}}", "buffer", "arg", "name",
                                             name, "buffer_name", name, "persistent", 1));
    }
    for (int i = 0; i < program->input_count; i++) {
        add_tensor(graph, to, program->inputs[i]);
        append(inputs, as_tensor(graph, program->inputs[i]));
        append(specs,
               json_pack("{s:{s:o}}", "user_input", "arg", as_tensor(graph, program->inputs[i])));
    }
}

static void add_outputs(const dv_pt2_graph *graph, json_t **outputs, json_t **specs)
{
    for (int i = 0; i < graph->program->output_count; i++) {
        dv_value value = graph->program->outputs[i];
        append(outputs, as_tensor(graph, value));
        append(specs, json_pack("{s:{s:o}}", "user_output", "arg", as_tensor(graph, value)));
    }
}

/* A tuple of `count` tensors in the form of torch.utils._pytree. */
static json_t *tuple(int count)
{
    json_t *children = json_array();
    for (int i = 0; i < count; i++)
        append(&children, json_pack("{s:n, s:n, s:[]}", "type", "context", "children_spec"));
    return json_pack("{s:s, s:s, s:o}", "type", "builtins.tuple", "context", "null",
                     "children_spec", children);
}

/* The text of such a tree, with its version. */
static json_t *tree_text(json_t *tree)
{
    json_t *versioned = json_pack("[i, o]", 1, tree);
    char *text = json_dumps(versioned, JSON_COMPACT);
    json_t *out = json_string(text);
    json_decref(versioned);
    free(text);
    return out;
}

/* ModuleCallEntry of the module: it takes a tuple and no keywords, and returns a tuple. */
static json_t *whole_module(const dv_pt2_graph *graph)
{
    const dv_program *program = graph->program;
    json_t *names = json_array();
    for (int i = 0; i < program->input_count; i++)
        append(&names, json_string(graph->names[program->inputs[i]].text));
    json_t *takes = json_pack("{s:s, s:s, s:[o, {s:s, s:s, s:[]}]}", "type", "builtins.tuple",
                              "context", "null", "children_spec", tuple(program->input_count),
                              "type", "builtins.dict", "context", "[]", "children_spec");
    return json_pack("{s:s, s:{s:[], s:[], s:o, s:o, s:o}}", "fqn", "", "signature", "inputs",
                     "outputs", "in_spec", tree_text(takes), "out_spec",
                     tree_text(tuple(program->output_count)), "forward_arg_names", names);
}

/* RangeConstraint of each symbol of the inputs: at least 1. */
static json_t *ranges(const dv_pt2_graph *graph)
{
    json_t *out = json_object();
    for (int i = 0; i < graph->program->input_count; i++) {
        const dv_tensor *tensor = &graph->program->tensors[graph->program->inputs[i]];
        for (int axis = 0; axis < tensor->rank; axis++) {
            char name[8];
            int64_t size;
            if (dv_program_known_size(graph->program, tensor->size[axis], &size))
                continue;
            print_symbol(tensor->size[axis].symbol, name);
            put(&out, name, json_pack("{s:i, s:n}", "min_val", 1, "max_val"));
        }
    }
    return out;
}

/* ---- The program ---- */

/* Writes the graph in order: inputs, the calls of each statement, outputs. */
json_t *dv_pt2_program(const dv_pt2_graph *graph)
{
    parts to = {json_array(), json_object(), json_object()};
    json_t *inputs = json_array(), *outputs = json_array();
    json_t *input_specs = json_array(), *output_specs = json_array();
    add_inputs(graph, &to, &inputs, &input_specs);
    for (size_t i = 0; i < graph->program->statement_count; i++) {
        dv_aten_call calls[DV_ATEN_CALLS];
        int count = dv_aten_lower(graph->program, &graph->program->statements[i], calls);
        for (int k = 0; k < count; k++)
            add_call(graph, &to, &calls[k]);
    }
    add_outputs(graph, &outputs, &output_specs);
    json_t *body =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:{}, s:b, s:{}}", "inputs", inputs, "outputs",
                  outputs, "nodes", to.nodes, "tensor_values", to.tensors, "sym_int_values",
                  to.sizes, "sym_bool_values", "is_single_tensor_return", 0, "custom_obj_values");
    json_t *signature =
        json_pack("{s:o, s:o}", "input_specs", input_specs, "output_specs", output_specs);
    json_t *module = json_pack("{s:o, s:o, s:[o], s:{}}", "graph", body, "signature", signature,
                               "module_call_graph", whole_module(graph), "metadata");
    return json_pack("{s:o, s:{s:i}, s:o, s:{s:i, s:i}, s:[s]}", "graph_module", module,
                     "opset_version", "aten", OPSET, "range_constraints", ranges(graph),
                     "schema_version", "major", SCHEMA_MAJOR, "minor", SCHEMA_MINOR, "verifiers",
                     "TRAINING");
}

json_t *dv_pt2_weights(const dv_pt2_graph *graph)
{
    json_t *config = json_object();
    int count = 0;
    for (size_t i = 0; i < graph->program->tensor_count; i++) {
        const dv_tensor *tensor = &graph->program->tensors[i];
        if (!dv_aten_is_stored(tensor))
            continue;
        dv_archive_name entry = dv_archive_constant_name(DV_PT2_WEIGHT, count++);
        put(&config, graph->names[i].text,
            json_pack("{s:s, s:b, s:b, s:o}", "path_name", entry.text, "is_param",
                      dv_aten_is_parameter(tensor), "use_pickle", 0, "tensor_meta",
                      tensor_meta(graph->program, tensor, tensor->element)));
    }
    return json_pack("{s:o}", "config", config);
}
