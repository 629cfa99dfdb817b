/* Puts constants and notes into archives, and finds them again. */
#include "runner/export/archive.h"
#include "runner/export/aten.h"

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

/* Note i; those of the model come first, its description last. */
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
