#include "benchmarks/bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The text behind "KEY ... : " in the first line of a file that begins with `key`. */
static bool find_line(const char *path, const char *key, char *out, size_t size)
{
    char line[512];
    bool found = false;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (colon == NULL || strncmp(line, key, strlen(key)) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(out, size, "%s", colon);
        found = true;
    }
    fclose(file);
    return found;
}

void bench_processor(char *out, size_t size)
{
    struct utsname name;
    if (find_line("/proc/cpuinfo", "model name", out, size))
        return;
    snprintf(out, size, "%s", uname(&name) == 0 ? name.machine : "unknown");
}

size_t bench_largest_cache(void)
{
    size_t largest = 0;
    for (int index = 0; index < 8; index++) {
        char path[96], text[32] = "";
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            break;
        char *unit = text;
        unsigned long size = fgets(text, sizeof text, file) != NULL ? strtoul(text, &unit, 10) : 0;
        fclose(file);
        size_t bytes = size << (*unit == 'K' ? 10 : *unit == 'M' ? 20 : 0);
        largest = bytes > largest ? bytes : largest;
    }
    return largest > 0 ? largest : (size_t)32 << 20; /* nothing is known: that of many machines */
}

size_t bench_resident(void)
{
    char text[64];
    if (!find_line("/proc/self/status", "VmRSS", text, sizeof text))
        return 0;
    return (size_t)strtoul(text, NULL, 10) << 10;
}

const char *bench_build(void)
{
    return BENCH_BUILD;
}

dv_status bench_self(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    if (length < 0 || (size_t)length == size - 1)
        return DV_FAIL(DV_EIO, "/proc/self/exe does not say where this program is");
    out[length] = '\0';
    return DV_OK;
}

dv_status bench_decavox(const bench *b, char *out, size_t size)
{
    char self[BENCH_PATH_SIZE];
    if (b->chosen.decavox[0] != '\0')
        return bench_format(out, size, "%s", b->chosen.decavox);
    DV_TRY(bench_self(self, sizeof self));
    *strrchr(self, '/') = '\0';
    DV_TRY(bench_format(out, size, "%s/../runner/decavox", self));
    if (access(out, X_OK) != 0)
        return DV_FAIL(DV_EIO, "there is no program %s; --decavox says where it is", out);
    return DV_OK;
}
