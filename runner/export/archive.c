/* Adds constants and notes to archives, checks them there, and pickles tensors. */
#include "runner/export/archive.h"
#include "runner/export/aten.h"
#include "runner/export/pickle.h"

#include <stdio.h>
#include <string.h>

dv_archive_name dv_archive_constant_name(const char *prefix, int number)
{
    dv_archive_name name;
    snprintf(name.text, sizeof name.text, "%s%d", prefix, number);
    return name;
}

static dv_archive_name note_name(const char *key)
{
    dv_archive_name name;
    snprintf(name.text, sizeof name.text, "extra/%s", key);
    return name;
}

void dv_archive_add_constants(dv_zip *zip, const dv_program *program, const char *prefix)
{
    int count = 0;
    for (size_t i = 0; i < program->tensor_count; i++) {
        const dv_tensor *tensor = &program->tensors[i];
        if (dv_aten_is_stored(tensor))
            dv_zip_add(zip, dv_archive_constant_name(prefix, count++).text, tensor->data,
                       dv_aten_bytes(tensor));
    }
}

dv_status dv_archive_check_constants(const dv_zip_reader *zip, const dv_program *program,
                                     const char *prefix)
{
    int count = 0;
    for (size_t i = 0; i < program->tensor_count; i++) {
        const dv_tensor *tensor = &program->tensors[i];
        if (dv_aten_is_stored(tensor))
            DV_TRY(dv_zip_expect(zip, dv_archive_constant_name(prefix, count++).text, tensor->data,
                                 dv_aten_bytes(tensor)));
    }
    return DV_OK;
}

/* Note i: the notes of the model in their order, then its description. */
static dv_export_note note_of(const dv_exported *exported, size_t i)
{
    return i < exported->note_count ? exported->notes[i]
                                    : (dv_export_note){"description", exported->description};
}

void dv_archive_add_notes(dv_zip *zip, const dv_exported *exported)
{
    for (size_t i = 0; i <= exported->note_count; i++) {
        dv_export_note note = note_of(exported, i);
        dv_zip_add(zip, note_name(note.key).text, note.text, strlen(note.text));
    }
}

dv_status dv_archive_check_notes(const dv_zip_reader *zip, const dv_exported *exported)
{
    for (size_t i = 0; i <= exported->note_count; i++) {
        dv_export_note note = note_of(exported, i);
        DV_TRY(dv_zip_expect(zip, note_name(note.key).text, note.text, strlen(note.text)));
    }
    return DV_OK;
}

static const char *storage_name(dv_element element)
{
    switch (element) {
    case DV_ELEMENT_F32:
        return "FloatStorage";
    case DV_ELEMENT_F16:
        return "HalfStorage";
    case DV_ELEMENT_I64:
        return "LongStorage";
    case DV_ELEMENT_BOOL:
        break;
    }
    return "BoolStorage";
}

/* Calls _rebuild_tensor_v2 of torch with storage, offset, sizes, strides, gradient and hooks. */
void dv_archive_pickle_tensor(dv_protobuf *out, const dv_archive_tensor *tensor)
{
    dv_pickle_global(out, "torch._utils", "_rebuild_tensor_v2");
    dv_pickle_step_add(out, DV_PICKLE_MARK);
    dv_pickle_step_add(out, DV_PICKLE_MARK);
    dv_pickle_text(out, "storage");
    dv_pickle_global(out, "torch", storage_name(tensor->element));
    dv_pickle_text(out, tensor->storage);
    dv_pickle_text(out, "cpu");
    dv_pickle_integer(out, tensor->count);
    dv_pickle_step_add(out, DV_PICKLE_TUPLE);
    dv_pickle_step_add(out, DV_PICKLE_PERSISTENT_ID);
    dv_pickle_integer(out, 0); /* offset in the storage */
    dv_pickle_integers(out, tensor->sizes, tensor->rank);
    dv_pickle_integers(out, tensor->strides, tensor->rank);
    dv_pickle_bool(out, false);                          /* no gradient */
    dv_pickle_global(out, "collections", "OrderedDict"); /* no hooks */
    dv_pickle_step_add(out, DV_PICKLE_EMPTY_TUPLE);
    dv_pickle_step_add(out, DV_PICKLE_CALL);
    dv_pickle_step_add(out, DV_PICKLE_TUPLE);
    dv_pickle_step_add(out, DV_PICKLE_CALL);
}
