/* Builds trees from the events of libyaml's parser, and emits trees through libyaml's emitter. */
#include "engine/base/yaml.h"
#include "engine/base/input_file.h"
#include "engine/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { FAIL_SIZE = 512 };

/* The state of a reader that builds a tree from libyaml's events. */
typedef struct reader {
    yaml_parser_t parser;
    const char *text;
    size_t size;
    const char *source;
    size_t nodes;
} reader;

static dv_status fail_at(const reader *r, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fails with "file:line: message"; `mark` counts lines from 0. */
static dv_status fail_at(const reader *r, yaml_mark_t mark, const char *format, ...)
{
    char text[FAIL_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return DV_FAIL(DV_ECONFIG, "%s:%zu: %s", r->source, mark.line + 1, text);
}

/* The line of a byte offset. libyaml's reader counts bytes, not lines. */
static yaml_mark_t mark_of_offset(const reader *r, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < r->size; i++)
        if (r->text[i] == '\n')
            mark.line++;
    return mark;
}

/* Whether the line of `mark` has a tab among the blanks before its first character. */
static bool is_indented_by_tab(const reader *r, yaml_mark_t mark)
{
    size_t line = 0, i = 0;
    while (i < r->size && line < mark.line)
        line += r->text[i++] == '\n';
    while (i < r->size && r->text[i] == ' ')
        i++;
    return i < r->size && r->text[i] == '\t';
}

/* Says in the words of YAML's users what the commonest problems of libyaml mean. */
static dv_status fail_syntax(const reader *r)
{
    static const char colon[] = "mapping values are not allowed in this context";
    const yaml_parser_t *parser = &r->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "unknown problem";
    const char *context = parser->context != NULL ? parser->context : "";
    if (parser->error == YAML_MEMORY_ERROR)
        return DV_FAIL(DV_ENOMEM, "%s: out of memory", r->source);
    if (parser->error == YAML_READER_ERROR)
        return fail_at(r, mark_of_offset(r, parser->problem_offset), "not UTF-8 text: %s", problem);
    if (is_indented_by_tab(r, parser->problem_mark))
        return fail_at(r, parser->problem_mark, "a tab cannot indent in YAML: indent with spaces");
    if (strcmp(problem, colon) == 0)
        return fail_at(r, parser->problem_mark,
                       "not valid YAML: no key can begin here; a text with a colon needs quotes, "
                       "and the keys of one map begin in one column");
    return fail_at(r, parser->problem_mark, "not valid YAML: %s%s%s", context,
                   context[0] != '\0' ? ": " : "", problem);
}

static dv_status next_event(reader *r, yaml_event_t *event)
{
    if (!yaml_parser_parse(&r->parser, event))
        return fail_syntax(r);
    return DV_OK;
}

/* Refuses YAML nodes that a tree cannot have: anchors, aliases, tags, NULs, and nodes that are too
   deep or too many. */
static dv_status check_event(reader *r, const yaml_event_t *event, int depth)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        anchor = event->data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    default:
        DV_ASSERT(event->type == YAML_MAPPING_START_EVENT);
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    }
    if (anchor != NULL)
        return fail_at(
            r, event->start_mark,
            "anchors and aliases ('%.60s') are not allowed: write out what they stand for",
            (const char *)anchor);
    if (tag != NULL)
        return fail_at(r, event->start_mark, "tags ('%.60s') are not allowed: leave the tag out",
                       (const char *)tag);
    if (depth > DV_TREE_MAX_DEPTH)
        return fail_at(r, event->start_mark, "values are nested deeper than %d levels",
                       DV_TREE_MAX_DEPTH);
    if (++r->nodes > DV_YAML_MAX_NODES)
        return fail_at(r, event->start_mark, "the text has more than %d values", DV_YAML_MAX_NODES);
    if (event->type == YAML_SCALAR_EVENT &&
        memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
        return fail_at(r, event->start_mark, "a text has a NUL character");
    return DV_OK;
}

static dv_status scalar_node(const reader *r, const yaml_event_t *event, dv_tree **out)
{
    const char *text = (const char *)event->data.scalar.value;
    bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    int line = (int)event->start_mark.line + 1;
    if (!quoted && dv_tree_is_null_text(text))
        return dv_tree_new(DV_TREE_NULL, r->source, line, out);
    DV_TRY(dv_tree_new_scalar(text, r->source, line, out));
    (*out)->quoted = quoted;
    return DV_OK;
}

static dv_status build(reader *r, const yaml_event_t *event, int depth, dv_tree **out);

/* Reads the value after the key in `event`. The value has the key's line. */
static dv_status build_entry(reader *r, const yaml_event_t *event, dv_tree *parent, int depth)
{
    DV_TRY(check_event(r, event, depth));
    if (event->type != YAML_SCALAR_EVENT)
        return fail_at(r, event->start_mark, "a key must be a single word, not a list or a map");
    r->nodes--; /* keys do not count */
    yaml_event_t next;
    dv_tree *child;
    DV_TRY(next_event(r, &next));
    dv_status status = build(r, &next, depth, &child);
    yaml_event_delete(&next);
    DV_TRY(status);
    child->line = (int)event->start_mark.line + 1;
    return dv_tree_append(parent, (const char *)event->data.scalar.value, child);
}

/* Reads the children of a list or a map up to its end. */
static dv_status build_children(reader *r, dv_tree *parent, int depth)
{
    bool is_map = parent->kind == DV_TREE_MAP;
    yaml_event_type_t last = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        yaml_event_t event;
        dv_tree *child;
        dv_status status;
        DV_TRY(next_event(r, &event));
        bool done = event.type == last;
        if (done) {
            status = DV_OK;
        } else if (is_map) {
            status = build_entry(r, &event, parent, depth);
        } else {
            status = build(r, &event, depth, &child);
            if (status == DV_OK)
                status = dv_tree_append(parent, NULL, child);
        }
        yaml_event_delete(&event);
        if (done || status != DV_OK)
            return status;
    }
}

/* Builds the node that begins with `event`. check_event limits the recursion. */
static dv_status build(reader *r, const yaml_event_t *event, int depth, dv_tree **out)
{
    *out = NULL;
    DV_TRY(check_event(r, event, depth));
    if (event->type == YAML_SCALAR_EVENT)
        return scalar_node(r, event, out);
    dv_tree_kind kind = event->type == YAML_MAPPING_START_EVENT ? DV_TREE_MAP : DV_TREE_LIST;
    DV_TRY(dv_tree_new(kind, r->source, (int)event->start_mark.line + 1, out));
    dv_status status = build_children(r, *out, depth + 1);
    if (status != DV_OK) {
        dv_tree_free(*out);
        *out = NULL;
    }
    return status;
}

/* Fails unless the next event has this type. */
static dv_status expect(reader *r, yaml_event_type_t type, const char *message)
{
    yaml_event_t event;
    DV_TRY(next_event(r, &event));
    yaml_mark_t mark = event.start_mark;
    bool fits = event.type == type;
    yaml_event_delete(&event);
    return fits ? DV_OK : fail_at(r, mark, "%s", message);
}

static dv_status build_document(reader *r, dv_tree **out)
{
    static const char *const empty = "the text is empty; expected a map of keys";
    yaml_event_t event;
    DV_TRY(expect(r, YAML_STREAM_START_EVENT, "this is no YAML"));
    DV_TRY(expect(r, YAML_DOCUMENT_START_EVENT, empty));
    DV_TRY(next_event(r, &event));
    dv_status status = build(r, &event, 1, out);
    yaml_event_delete(&event);
    DV_TRY(status);
    if ((*out)->kind == DV_TREE_NULL)
        DV_TRY(dv_tree_fail(*out, "%s", empty));
    DV_TRY(expect(r, YAML_DOCUMENT_END_EVENT, "expected the end of the text"));
    return expect(r, YAML_STREAM_END_EVENT, "a second document begins, and only one is allowed");
}

/* Checks the size, skips a byte order mark, and builds the tree from the parser's events. A failure
   frees the tree. */
dv_status dv_yaml_parse(const char *text, size_t size, const char *source_name, dv_tree **out)
{
    *out = NULL;
    if (size > DV_YAML_MAX_SIZE)
        return DV_FAIL(DV_ECONFIG, "%s: has more than %d bytes, the limit of a YAML text",
                       source_name, DV_YAML_MAX_SIZE);
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3; /* byte order mark */
        size -= 3;
    }
    reader r = {.text = text, .size = size, .source = source_name};
    if (!yaml_parser_initialize(&r.parser))
        return DV_FAIL(DV_ENOMEM, "%s: out of memory", source_name);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    dv_status status = build_document(&r, out);
    yaml_parser_delete(&r.parser);
    if (status != DV_OK) {
        dv_tree_free(*out);
        *out = NULL;
    }
    return status;
}

dv_status dv_yaml_read(const char *path, dv_tree **out)
{
    dv_status status;
    char *text = NULL;
    FILE *file;
    *out = NULL;
    DV_TRY(dv_input_open(path, &file));
    /* One byte more than allowed detects a file that is too large. */
    DV_TRY_GOTO(dv_calloc(DV_YAML_MAX_SIZE + 1, 1, &text));
    size_t size = fread(text, 1, DV_YAML_MAX_SIZE + 1, file);
    if (ferror(file)) {
        status = DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno));
        goto fail;
    }
    status = dv_yaml_parse(text, size, path, out);
fail:
    fclose(file);
    free(text);
    return status;
}

/* ---- Writing ---- */

enum { PLACE_SIZE = 256, SHOWN_SIZE = 128 };

/* The text with every byte that is not ASCII as \xNN, cut if it is too long. */
static const char *show_bytes(const char *text, char shown[SHOWN_SIZE])
{
    size_t length = 0;
    for (; *text != '\0' && length + 5 < SHOWN_SIZE; text++) {
        unsigned char c = (unsigned char)*text;
        length += (size_t)snprintf(shown + length, SHOWN_SIZE - length,
                                   c >= 0x20 && c < 0x7F ? "%c" : "\\x%02X", c);
    }
    shown[length] = '\0';
    return shown;
}

/* Fails for a text that is not UTF-8, since libyaml's failure would not name it. `place` has the
   keys up to `tree`. */
static dv_status check_texts(const dv_tree *tree, const char *place)
{
    char shown[SHOWN_SIZE], below[PLACE_SIZE];
    if (tree->kind == DV_TREE_SCALAR && !dv_is_utf8(tree->text))
        return DV_FAIL(DV_EARG, "cannot write YAML: %s: the text '%s' is not UTF-8",
                       place[0] != '\0' ? place : "a text", show_bytes(tree->text, shown));
    for (size_t i = 0; i < tree->count; i++) {
        const dv_tree *child = tree->children[i];
        if (child->key != NULL && !dv_is_utf8(child->key))
            return DV_FAIL(DV_EARG, "cannot write YAML: the key '%s' is not UTF-8",
                           show_bytes(child->key, shown));
        if (child->key != NULL)
            snprintf(below, sizeof below, "%s%s%s", place, place[0] != '\0' ? "." : "", child->key);
        else
            snprintf(below, sizeof below, "%s[%zu]", place, i);
        DV_TRY(check_texts(child, below));
    }
    return DV_OK;
}

/* A growing text, which is NUL-terminated after the first write. */
typedef struct writer {
    yaml_emitter_t emitter;
    char *text;
    size_t size, capacity;
} writer;

/* libyaml's write handler, which returns 1 on success. */
static int write_bytes(void *user, unsigned char *bytes, size_t size)
{
    writer *w = user;
    if (w->size + size + 1 > w->capacity) {
        size_t capacity = 2 * (w->size + size + 1);
        char *grown = realloc(w->text, capacity);
        if (grown == NULL)
            return 0;
        w->text = grown;
        w->capacity = capacity;
    }
    memcpy(w->text + w->size, bytes, size);
    w->size += size;
    w->text[w->size] = '\0';
    return 1;
}

/* Emits the event and takes it over, also on failure. `made` tells whether libyaml made it. */
static dv_status emit(writer *w, yaml_event_t *event, int made)
{
    if (made && yaml_emitter_emit(&w->emitter, event))
        return DV_OK;
    const char *problem = w->emitter.problem;
    return DV_FAIL(DV_ENOMEM, "cannot write YAML: %s", problem != NULL ? problem : "out of memory");
}

static dv_status emit_text(writer *w, const char *text, bool quoted)
{
    yaml_event_t event;
    int made = yaml_scalar_event_initialize(
        &event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
        quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE);
    return emit(w, &event, made);
}

/* Whether a list or a map has only scalars or, if `with_lists`, also lists of scalars. */
static bool is_short(const dv_tree *tree, bool with_lists)
{
    for (size_t i = 0; i < tree->count; i++) {
        const dv_tree *child = tree->children[i];
        if (child->kind == DV_TREE_MAP)
            return false;
        if (child->kind == DV_TREE_LIST && !(with_lists && is_short(child, false)))
            return false;
    }
    return true;
}

/* Emits a tree. Lists of scalars and the attributes of a list's entry, `- conv2d: {filters: 64}`,
   are in one line. `below_list` is the number of levels below the nearest list, or 0. */
static dv_status emit_tree(writer *w, const dv_tree *tree, int below_list, bool in_flow)
{
    yaml_event_t event;
    int made;
    if (tree->kind == DV_TREE_NULL)
        return emit_text(w, in_flow ? "null" : "", false);
    if (tree->kind == DV_TREE_SCALAR)
        return emit_text(w, tree->text, tree->quoted || dv_tree_is_null_text(tree->text));
    bool is_map = tree->kind == DV_TREE_MAP;
    bool flow =
        in_flow || (is_map ? below_list == 2 && is_short(tree, true) : is_short(tree, false));
    if (is_map)
        made = yaml_mapping_start_event_initialize(
            &event, NULL, NULL, 1, flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE);
    else
        made = yaml_sequence_start_event_initialize(
            &event, NULL, NULL, 1, flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
    DV_TRY(emit(w, &event, made));
    int child_below = !is_map ? 1 : below_list > 0 ? below_list + 1 : 0;
    for (size_t i = 0; i < tree->count; i++) {
        if (is_map)
            DV_TRY(emit_text(w, tree->children[i]->key, false));
        DV_TRY(emit_tree(w, tree->children[i], child_below, flow));
    }
    made = is_map ? yaml_mapping_end_event_initialize(&event)
                  : yaml_sequence_end_event_initialize(&event);
    return emit(w, &event, made);
}

static dv_status emit_document(writer *w, const dv_tree *tree)
{
    yaml_event_t event;
    DV_TRY(emit(w, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)));
    DV_TRY(emit(w, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)));
    DV_TRY(emit_tree(w, tree, 0, false));
    DV_TRY(emit(w, &event, yaml_document_end_event_initialize(&event, 1)));
    return emit(w, &event, yaml_stream_end_event_initialize(&event));
}

/* Fails for a file that the reader would refuse. */
static dv_status check_limits(int64_t nodes, size_t size)
{
    if (nodes > DV_YAML_MAX_NODES)
        return DV_FAIL(DV_EARG,
                       "cannot write YAML: there are %" PRId64 " values, and the most are %d",
                       nodes, DV_YAML_MAX_NODES);
    if (size > DV_YAML_MAX_SIZE)
        return DV_FAIL(DV_EARG, "cannot write YAML: the text has %zu bytes, and the most are %d",
                       size, DV_YAML_MAX_SIZE);
    return DV_OK;
}

/* Fails for a depth that the reader would refuse. */
static dv_status check_depth(const dv_tree *tree, int depth)
{
    if (depth > DV_TREE_MAX_DEPTH)
        return DV_FAIL(DV_EARG, "cannot write YAML: values are nested deeper than %d levels",
                       DV_TREE_MAX_DEPTH);
    for (size_t i = 0; i < tree->count; i++)
        DV_TRY(check_depth(tree->children[i], depth + 1));
    return DV_OK;
}

/* Checks the depth and the texts, emits the tree, and checks the numbers of nodes and bytes. *text
   is NULL on failure. */
dv_status dv_yaml_write(const dv_tree *tree, char **text)
{
    writer w = {.text = NULL};
    *text = NULL;
    DV_TRY(check_depth(tree, 1));
    DV_TRY(check_texts(tree, ""));
    if (!yaml_emitter_initialize(&w.emitter))
        return DV_FAIL(DV_ENOMEM, "cannot write YAML: out of memory");
    yaml_emitter_set_output(&w.emitter, write_bytes, &w);
    yaml_emitter_set_unicode(&w.emitter, 1);
    yaml_emitter_set_width(&w.emitter, -1);
    dv_status status = emit_document(&w, tree);
    yaml_emitter_delete(&w.emitter);
    if (status == DV_OK)
        status = check_limits(dv_tree_nodes(tree), w.size);
    if (status == DV_OK && w.text == NULL)
        status = dv_strdup("", &w.text);
    if (status != DV_OK) {
        free(w.text);
        return status;
    }
    *text = w.text;
    return DV_OK;
}
