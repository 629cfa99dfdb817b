/* Writes the command line that repeats a training, with absolute paths. */
#include "runner/experiment/repeat.h"
#include "engine/base/json.h"
#include "engine/base/shell.h"
#include "engine/base/text.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Paths ---- */

dv_status dv_absolute_path(const char *path, char **out)
{
    char folder[4096];
    *out = NULL;
    if (path[0] == '/')
        return dv_strdup(path, out);
    if (getcwd(folder, sizeof folder) == NULL)
        return DV_FAIL(DV_ESYSTEM, "the working folder is not known: %s", strerror(errno));
    while (strncmp(path, "./", 2) == 0)
        path += 2 + strspn(path + 2, "/");
    const char *slash = strcmp(folder, "/") == 0 ? "" : "/";
    size_t size = strlen(folder) + strlen(path) + 2;
    DV_TRY(dv_calloc(size, 1, out));
    snprintf(*out, size, "%s%s%s", folder, slash, path);
    return DV_OK;
}

dv_status dv_absolute_file(const char *folder, const char *name, char **out)
{
    char *whole;
    *out = NULL;
    DV_TRY(dv_absolute_path(folder, &whole));
    size_t size = strlen(whole) + strlen(name) + 2;
    dv_status status = dv_calloc(size, 1, out);
    if (status == DV_OK)
        snprintf(*out, size, "%s/%s", whole, name);
    free(whole);
    return status;
}

/* Where the paths of a list are written, with commas between them. */
typedef struct path_list {
    FILE *out;
    const char *comma; /* "" before the first path */
} path_list;

/* Writes one path of a list, which may have a prefix with '='. */
static dv_status put_item(void *user, char *item)
{
    path_list *list = user;
    char *absolute = NULL;
    const char *slash = strchr(item, '/'), *equals = strchr(item, '=');
    bool prefixed = equals != NULL && (slash == NULL || equals < slash);
    const char *path = prefixed ? equals + 1 : item;
    if (path[0] != '/' && access(path, F_OK) == 0)
        DV_TRY(dv_absolute_path(path, &absolute));
    fprintf(list->out, "%s%.*s%s", list->comma, (int)(path - item), item,
            absolute != NULL ? absolute : path);
    list->comma = ",";
    free(absolute);
    return DV_OK;
}

/* Gives `text`, a path or paths with commas between, with absolute paths. *out is owned by the
   caller. */
static dv_status make_absolute(const char *text, char **out)
{
    size_t size;
    path_list list = {.out = open_memstream(out, &size), .comma = ""};
    if (list.out == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: a path");
    dv_status status = dv_each_item(text, put_item, &list);
    if (fclose(list.out) != 0 && status == DV_OK)
        status = DV_FAIL(DV_ENOMEM, "out of memory: a path");
    if (status != DV_OK)
        free(*out);
    return status;
}

/* ---- Words ---- */

typedef struct word_list {
    char **words; /* (count) owned */
    size_t count, capacity;
} word_list;

/* Appends a word, of which the list becomes the owner; NULL is a lack of memory. */
static dv_status take_word(word_list *list, char *word)
{
    dv_status status =
        word != NULL ? dv_grow(list->count, sizeof *list->words, &list->capacity, &list->words)
                     : DV_FAIL(DV_ENOMEM, "out of memory: a command line");
    if (status == DV_OK)
        list->words[list->count++] = word;
    else
        free(word);
    return status;
}

static dv_status add_word(word_list *list, const char *word)
{
    char *copy;
    DV_TRY(dv_strdup(word, &copy));
    return take_word(list, copy);
}

/* Appends "--set" and "path=value". */
static dv_status add_setting(word_list *list, const char *path, const char *value)
{
    size_t size = strlen(path) + strlen(value) + 2;
    char *word;
    DV_TRY(add_word(list, "--set"));
    DV_TRY(dv_calloc(size, 1, &word));
    snprintf(word, size, "%s=%s", path, value);
    return take_word(list, word);
}

/* ---- The places of a configuration ---- */

/* A setting for a path field whose text is not absolute yet. */
static dv_status add_place(word_list *list, const char *path, const char *text)
{
    char *absolute;
    DV_TRY(make_absolute(text, &absolute));
    dv_status status = strcmp(absolute, text) != 0 ? add_setting(list, path, absolute) : DV_OK;
    free(absolute);
    return status;
}

/* The scalar of an item of data.more as JSON, which is YAML too. */
static dv_status scalar_json(const dv_tree *node, json_t **out)
{
    char *absolute = NULL;
    int64_t whole;
    double number;
    bool is_place = strcmp(node->key, "path") == 0 || strcmp(node->key, "exclude") == 0;
    if (is_place)
        DV_TRY(make_absolute(node->text, &absolute));
    if (!is_place && !node->quoted && dv_parse_int(node->text, &whole))
        *out = json_integer((json_int_t)whole);
    else if (!is_place && !node->quoted && dv_parse_float(node->text, &number))
        *out = json_real(number);
    else
        *out = dv_text_json(is_place ? absolute : node->text);
    free(absolute);
    return DV_OK;
}

static dv_status item_json(const dv_tree *item, json_t *list)
{
    json_t *map = json_object();
    json_array_append_new(list, map);
    for (size_t i = 0; i < item->count; i++) {
        json_t *value;
        if (item->children[i]->kind != DV_TREE_SCALAR)
            continue;
        DV_TRY(scalar_json(item->children[i], &value));
        if (json_object_set_new(map, item->children[i]->key, value) != 0)
            return DV_FAIL(DV_ENOMEM, "out of memory: a command line");
    }
    return DV_OK;
}

/* A setting for data.more, a list of maps, as a whole. */
static dv_status add_further_data(word_list *list, const char *path, const dv_tree *more)
{
    json_t *items = json_array();
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < more->count; i++)
        status = item_json(more->children[i], items);
    char *text = status == DV_OK ? json_dumps(items, 0) : NULL;
    json_decref(items);
    if (status == DV_OK)
        status = text != NULL ? add_setting(list, path, text)
                              : DV_FAIL(DV_ENOMEM, "out of memory: a command line");
    free(text);
    return status;
}

/* Adds the places of one section. The place of the data has an option of its own. */
static dv_status add_section(word_list *list, const char *before, const dv_section *section,
                             const dv_tree *map)
{
    enum { PATH_SIZE = 128 };
    for (size_t i = 0; map != NULL && map->kind == DV_TREE_MAP && i < map->count; i++) {
        const dv_tree *node = map->children[i];
        const dv_field *field = dv_fields_find(section->fields, node->key);
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s%s.%s", before, section->name, node->key);
        if (strcmp(path, "data.path") == 0)
            continue;
        bool is_path = field != NULL && field->kind == DV_FIELD_PATH;
        if (is_path && node->kind == DV_TREE_SCALAR && node->text[0] != '\0')
            DV_TRY(add_place(list, path, node->text));
        if (section->fields == dv_data_fields && strcmp(node->key, "more") == 0 && node->count > 0)
            DV_TRY(add_further_data(list, path, node));
    }
    return DV_OK;
}

static dv_status add_sections(word_list *list, const char *before, const dv_tree *tree)
{
    for (const dv_section *section = dv_sections; section->name != NULL; section++)
        DV_TRY(add_section(list, before, section, dv_tree_get(tree, section->name)));
    return DV_OK;
}

/* Collects the words in the order in which they are shown: configuration, data, settings, device,
   threads. */
static dv_status collect(word_list *list, const dv_experiment *experiment, const dv_repeated *how)
{
    char *config, *data, threads[16];
    DV_TRY(add_word(list, "train"));
    DV_TRY(dv_absolute_file(how->folder, "config.yaml", &config));
    DV_TRY(take_word(list, config));
    DV_TRY(add_word(list, "--data"));
    DV_TRY(dv_absolute_path(experiment->data.path, &data));
    DV_TRY(take_word(list, data));
    DV_TRY(add_sections(list, "", experiment->tree));
    const dv_tree *pretrain = dv_tree_get(experiment->tree, "pretrain");
    if (pretrain != NULL)
        DV_TRY(add_sections(list, "pretrain.", pretrain));
    snprintf(threads, sizeof threads, "%d", how->threads);
    const char *const last[] = {"--device", how->device, "--threads", threads};
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
        DV_TRY(add_word(list, last[i]));
    return DV_OK;
}

dv_status dv_repeat_command(const dv_experiment *experiment, const dv_repeated *how, char **out)
{
    word_list list = {0};
    dv_status status = collect(&list, experiment, how);
    if (status == DV_OK)
        status = dv_shell_command((const char *const *)list.words, list.count, out);
    for (size_t i = 0; i < list.count; i++)
        free(list.words[i]);
    free(list.words);
    return status;
}
