/* Exports a model: makes the program and its notes, and writes the file and reads it again. */
#include "runner/export/export.h"
#include "engine/base/atomic_file.h"
#include "engine/base/input_file.h"
#include "engine/base/text.h"
#include "engine/base/yaml.h"
#include "engine/core/writer.h"
#include "frontends/features/program.h"
#include "runner/experiment/experiment.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *const dv_export_input_names[] = {"audio", "features", "log_mel", NULL};

const dv_export_form *dv_export_form_of_path(const char *path)
{
    for (const dv_export_form *form = dv_export_forms; form->name != NULL; form++) {
        if (dv_ends_with(path, form->ending))
            return form;
    }
    return NULL;
}

const dv_export_form *dv_export_form_named(const char *name)
{
    for (const dv_export_form *form = dv_export_forms; form->name != NULL; form++) {
        if (strcmp(form->name, name) == 0)
            return form;
    }
    return NULL;
}

/* ---- The program ---- */

static dv_value write_audio(const dv_frontend *frontend, dv_program *program)
{
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_symbol(DV_SYMBOL_SAMPLES)};
    dv_value audio = dv_program_input(program, "audio", DV_ELEMENT_F32, sizes, 2);
    dv_value window = dv_frontend_write_window(frontend, program, audio);
    return dv_frontend_write_features(frontend, program, window);
}

static dv_value write_features(const dv_frontend *frontend, dv_program *program)
{
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(dv_frontend_rows(frontend)),
                       dv_size_of(dv_frontend_frames(frontend))};
    return dv_program_input(program, "features", DV_ELEMENT_F32, sizes, 3);
}

static dv_value write_log_mel(const dv_frontend *frontend, dv_program *program)
{
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH),
                       dv_size_of(dv_frontend_config(frontend)->n_mels),
                       dv_size_symbol(DV_SYMBOL_FRAMES)};
    dv_value log_mel = dv_program_input(program, "log_mel", DV_ELEMENT_F32, sizes, 3);
    dv_value window = dv_frontend_write_log_mel_window(frontend, program, log_mel);
    return dv_frontend_write_log_mel_features(frontend, program, window);
}

/* Writes the program from its input to the input of the network. */
static dv_value write_input(const dv_frontend *frontend, dv_export_input input, dv_program *program)
{
    switch (input) {
    case DV_EXPORT_FEATURES:
        return write_features(frontend, program);
    case DV_EXPORT_LOG_MEL:
        return write_log_mel(frontend, program);
    case DV_EXPORT_AUDIO:
        break;
    }
    return write_audio(frontend, program);
}

static dv_status check_input(const dv_frontend *frontend, dv_export_input input)
{
    dv_status status = input == DV_EXPORT_LOG_MEL ? dv_frontend_takes_log_mel(frontend) : DV_OK;
    if (status == DV_OK)
        return DV_OK;
    return dv_fail_within(status, "this model cannot have the input log_mel; export it with the "
                                  "input audio, or train one with the front-end ced");
}

/* Writes the front-end, the network and the softmax. */
static dv_status write_program(dv_model *model, const dv_export_wanted *wanted, dv_program *program)
{
    const dv_frontend *frontend = dv_model_frontend(model);
    dv_writer_request request = {.program = program,
                                 .graph = dv_model_graph(model),
                                 .element = wanted->half ? DV_ELEMENT_F16 : DV_ELEMENT_F32,
                                 .inputs = {dv_model_input(model)},
                                 .input_count = 1,
                                 .output = dv_model_output(model)};
    dv_value logits;
    DV_TRY(check_input(frontend, (dv_export_input)wanted->input));
    program->known[DV_SYMBOL_BATCH] = wanted->batch;
    dv_value features = write_input(frontend, (dv_export_input)wanted->input, program);
    dv_program_scope(program, "network");
    request.values[0] = dv_program_along(program, DV_OPERATOR_Unsqueeze, features, 1);
    DV_TRY(dv_writer_run(&request, &logits));
    dv_value probabilities = dv_program_along(program, DV_OPERATOR_Softmax, logits, 1);
    dv_program_output(program, "probabilities", probabilities);
    dv_program_output(program, "logits", logits);
    return dv_program_finish(program);
}

/* ---- Notes ---- */

/* Adds a note and owns its text, which is NULL if memory ran out. */
static dv_status add_note(dv_exported *exported, const char *key, char *text)
{
    DV_ASSERT(exported->note_count < DV_EXPORT_NOTES);
    if (text == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the note '%s'", key);
    exported->notes[exported->note_count++] = (dv_export_note){key, text};
    return DV_OK;
}

static dv_status copy_note(dv_exported *exported, const char *key, const char *text)
{
    char *copy;
    if (text == NULL || text[0] == '\0')
        return DV_OK;
    DV_TRY(dv_strdup(text, &copy));
    return add_note(exported, key, copy);
}

/* Adds the labels as JSON, for example ["zero","one"]. */
static dv_status note_labels(const dv_model *model, dv_exported *exported)
{
    json_t *labels = json_array();
    for (size_t i = 0; i < dv_model_label_count(model); i++)
        json_array_append_new(labels, json_string(dv_model_label(model, i)));
    char *text = json_array_size(labels) == dv_model_label_count(model)
                     ? json_dumps(labels, JSON_COMPACT)
                     : NULL;
    json_decref(labels);
    return add_note(exported, "labels", text);
}

static dv_status note_rate(const dv_model *model, dv_exported *exported)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, dv_model_sample_rate(model));
    return copy_note(exported, "sample_rate", text);
}

static dv_status note_tree(dv_exported *exported, const char *key, const dv_tree *tree)
{
    char *text;
    DV_TRY(dv_yaml_write(tree, &text));
    return add_note(exported, key, text);
}

/* Adds the configuration with shortened paths. */
static dv_status note_config(const dv_model *model, dv_exported *exported)
{
    dv_tree *config;
    DV_TRY(dv_experiment_copy_to_leave(dv_model_checkpoint(model)->config, &config));
    dv_status status = note_tree(exported, "decavox.config", config);
    dv_tree_free(config);
    return status;
}

static dv_status add_notes(const dv_model *model, const dv_export_wanted *wanted, dv_exported *out)
{
    DV_TRY(note_labels(model, out));
    DV_TRY(note_rate(model, out));
    DV_TRY(note_tree(out, "decavox.front_end",
                     dv_tree_get(dv_model_checkpoint(model)->config, "features")));
    DV_TRY(note_config(model, out));
    DV_TRY(copy_note(out, "decavox.version", dv_version()));
    DV_TRY(copy_note(out, "license", wanted->license));
    return copy_note(out, "card", wanted->card);
}

static dv_status describe(const dv_model *model, const dv_export_wanted *wanted, dv_exported *out)
{
    static const char *const inputs[] = {
        [DV_EXPORT_AUDIO] = "audio of any length, of which it sees a window",
        [DV_EXPORT_FEATURES] = "the features",
        [DV_EXPORT_LOG_MEL] = "mel bands in decibels of a clip of any length, of which it sees a "
                              "window"};
    char text[256];
    snprintf(text, sizeof text,
             "decavox: %s of %g s at %" PRId64 " Hz to the probabilities of %zu words",
             inputs[wanted->input], dv_model_window(model), dv_model_sample_rate(model),
             dv_model_label_count(model));
    return dv_strdup(text, &out->description);
}

dv_status dv_export_program(dv_model *model, const dv_export_wanted *wanted, dv_exported *out)
{
    *out = (dv_exported){0};
    DV_TRY(dv_program_create(&out->program));
    DV_TRY(write_program(model, wanted, out->program));
    DV_TRY(describe(model, wanted, out));
    return add_notes(model, wanted, out);
}

void dv_exported_free(dv_exported *exported)
{
    dv_program_free(exported->program);
    free(exported->description);
    for (size_t i = 0; i < exported->note_count; i++)
        free(exported->notes[i].text);
    *exported = (dv_exported){0};
}

/* ---- The file ---- */

/* Fails unless the file holds these bytes. */
static dv_status compare(const char *path, const dv_protobuf *bytes)
{
    FILE *file;
    unsigned char piece[4096];
    size_t at = 0, size;
    bool same = true;
    DV_TRY(dv_input_open(path, &file));
    while (same && (size = fread(piece, 1, sizeof piece, file)) > 0) {
        same = size <= bytes->size - at && memcmp(piece, bytes->bytes + at, size) == 0;
        at += size;
    }
    same = same && at == bytes->size && ferror(file) == 0;
    fclose(file);
    if (!same)
        return DV_FAIL(DV_EIO, "'%s' does not hold what was written to it", path);
    return DV_OK;
}

static dv_status store(const dv_export_form *form, const dv_exported *exported, const char *path,
                       dv_export_result *result)
{
    dv_protobuf bytes;
    DV_TRY(form->write(exported, &bytes));
    dv_status status = form->check(exported, &bytes);
    if (status != DV_OK)
        status = dv_fail_within(status, "the %s form of '%s'", form->name, path);
    if (status == DV_OK)
        status = dv_atomic_file_store(path, bytes.bytes, bytes.size);
    if (status == DV_OK)
        status = compare(path, &bytes);
    *result = (dv_export_result){.statements = exported->program->statement_count,
                                 .file = bytes.size,
                                 .constants = dv_program_constant_bytes(exported->program)};
    dv_protobuf_free(&bytes);
    return status;
}

dv_status dv_export_file(dv_model *model, const dv_export_wanted *wanted, const char *path,
                         dv_export_result *out)
{
    dv_exported exported;
    dv_status status = dv_export_program(model, wanted, &exported);
    if (status == DV_OK)
        status = store(wanted->form, &exported, path, out);
    dv_exported_free(&exported);
    return status;
}
