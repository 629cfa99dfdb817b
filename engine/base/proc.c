/* Reads lines "KEY : VALUE" of /proc, and describes the processor. */
#include "engine/base/proc.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static const char blank[] = " \t\n";

/* The value of a line without trailing spaces. NULL if the line has another key. */
static char *value_of(char *line, const char *key)
{
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0)
        return NULL;
    char *colon = line + length + strspn(line + length, blank);
    if (*colon != ':')
        return NULL;
    char *value = colon + 1 + strspn(colon + 1, blank);
    size_t end = strlen(value);
    while (end > 0 && strchr(blank, value[end - 1]) != NULL)
        end--;
    value[end] = '\0';
    return value;
}

bool dv_proc_value(const char *path, const char *key, char *out, size_t size)
{
    char line[512];
    const char *value = NULL;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    while (value == NULL && fgets(line, sizeof line, file) != NULL)
        value = value_of(line, key);
    fclose(file);
    if (value != NULL)
        snprintf(out, size, "%s", value);
    return value != NULL;
}

void dv_proc_processor(const char *path, char *out, size_t size)
{
    char name[128], family[16], model[16];
    struct utsname system;
    if (!dv_proc_value(path, "model name", name, sizeof name))
        snprintf(out, size, "%s", uname(&system) == 0 ? system.machine : "unknown processor");
    else if (dv_proc_value(path, "cpu family", family, sizeof family) &&
             dv_proc_value(path, "model", model, sizeof model))
        snprintf(out, size, "%s (family %s, model %s)", name, family, model);
    else
        snprintf(out, size, "%s", name);
}
