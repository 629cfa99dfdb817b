#include "tests/fuzz/target.h"
#include "engine/base/temporary.h"
#include "tests/fuzz/draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 512, MOST_FILES = 4 };

/* libFuzzer calls this before it reads its corpus, to which scripts/fuzz.sh adds the first inputs.
 */
__attribute__((visibility("default"))) int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *into = getenv("DECAVOX_FUZZ_SEEDS");
    (void)argc;
    (void)argv;
    if (into != NULL && fuzz_write_seeds != NULL)
        fuzz_write_seeds(into);
    return 0;
}

static char folder[256], paths[MOST_FILES][PATH_SIZE];
static int path_count;

static void clean_up(void)
{
    for (int i = 0; i < path_count; i++)
        remove(paths[i]);
    rmdir(folder);
}

/* The path of the file with this name. clean_up removes the file. */
static const char *path_of(const char *name)
{
    char path[PATH_SIZE];
    if (folder[0] == '\0') {
        fuzz_must(dv_temporary_folder(folder, sizeof folder));
        atexit(clean_up);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (int i = 0; i < path_count; i++) {
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    }
    if (path_count == MOST_FILES)
        fuzz_must(DV_FAIL(DV_EARG, "more than %d files", MOST_FILES));
    return strcpy(paths[path_count++], path);
}

static void store(const char *name, const void *data, size_t size)
{
    remove(name); /* some file systems write a shortened file to the disk at once, but no new one */
    FILE *file = fopen(name, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        fuzz_must(DV_FAIL(DV_EIO, "%s: cannot be written", name));
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    const char *path = path_of(name);
    store(path, data, size);
    return path;
}

void fuzz_write_seed(const char *into, const char *name, const void *data, size_t size)
{
    char seed[PATH_SIZE];
    snprintf(seed, sizeof seed, "%s/%s", into, name);
    store(seed, data, size);
}
