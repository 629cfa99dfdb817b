/* The common parts of PyTorch's two kinds of archives: numbered constants, notes, and pickled
   tensors. */
#ifndef DV_EXPORT_ARCHIVE_H
#define DV_EXPORT_ARCHIVE_H

#include "runner/export/form.h"
#include "runner/export/zip.h"

/* The content of the entry "version" in every archive of PyTorch. */
#define DV_ARCHIVE_VERSION "3\n"

/* The name of the entry with a constant's bytes, for example "data/0" for the prefix "data/". */
typedef struct dv_archive_name {
    char text[DV_ZIP_NAME];
} dv_archive_name;
dv_archive_name dv_archive_constant_name(const char *prefix, int number);

/* Adds the constants that are used, numbered from 0 in the order of the program. */
void dv_archive_add_constants(dv_zip *zip, const dv_program *program, const char *prefix);

/* Adds the description and each note as "extra/<key>", where PyTorch expects extra files. */
void dv_archive_add_notes(dv_zip *zip, const dv_exported *exported);

/* Return DV_EFORMAT unless the archive holds the constants, or the notes, with all their bytes. */
dv_status dv_archive_check_constants(const dv_zip_reader *zip, const dv_program *program,
                                     const char *prefix);
dv_status dv_archive_check_notes(const dv_zip_reader *zip, const dv_exported *exported);

/* A tensor whose elements are in the entry "data/<storage>", which holds `count` elements. */
typedef struct dv_archive_tensor {
    dv_element element;
    int rank;
    int64_t sizes[DV_PROGRAM_AXES], strides[DV_PROGRAM_AXES];
    int64_t count;
    const char *storage;
} dv_archive_tensor;
void dv_archive_pickle_tensor(dv_protobuf *out, const dv_archive_tensor *tensor);

#endif
