/* Knows formats of files by their first bytes. */
#define _GNU_SOURCE /* memmem */
#include "frontends/audio/file_content.h"
#include "engine/base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct magic {
    size_t at;
    const char *bytes;
    const char *form; /* further bytes, which stand somewhere behind; NULL if none are needed */
    const char *name;
    dv_content kind;
} magic;

/* The first that fits: the formats in OGG come before OGG. */
static const magic magics[] = {
    {4, "ftypM4A ", NULL, "M4A", DV_CONTENT_FOREIGN_SOUND},
    {4, "ftyp3g", NULL, "3GP", DV_CONTENT_FOREIGN_SOUND},
    {4, "ftypqt  ", NULL, "QuickTime", DV_CONTENT_FOREIGN_SOUND},
    {4, "ftyp", NULL, "MP4", DV_CONTENT_FOREIGN_SOUND},
    {0, "#!AMR", NULL, "AMR", DV_CONTENT_FOREIGN_SOUND},
    {0, "\x1A\x45\xDF\xA3", "matroska", "Matroska", DV_CONTENT_FOREIGN_SOUND},
    {0, "\x1A\x45\xDF\xA3", NULL, "WebM", DV_CONTENT_FOREIGN_SOUND},
    {0, "\x30\x26\xB2\x75", NULL, "WMA (ASF)", DV_CONTENT_FOREIGN_SOUND},
    {0, "\xFF\xF1", NULL, "AAC", DV_CONTENT_FOREIGN_SOUND},
    {0, "\xFF\xF9", NULL, "AAC", DV_CONTENT_FOREIGN_SOUND},
    {28, "\177FLAC", NULL, "FLAC in OGG", DV_CONTENT_FOREIGN_SOUND},
    {28, "Speex", NULL, "Speex in OGG", DV_CONTENT_FOREIGN_SOUND},
    {0, "RIFF", "WAVE", "WAV", DV_CONTENT_SOUND},
    {0, "RIFX", "WAVE", "WAV", DV_CONTENT_SOUND},
    {0, "RF64", "WAVE", "WAV", DV_CONTENT_SOUND},
    {0, "riff", "wave", "W64", DV_CONTENT_SOUND},
    {0, "FORM", "AIF", "AIFF", DV_CONTENT_SOUND},
    {0, "caff", NULL, "CAF", DV_CONTENT_SOUND},
    {0, ".snd", NULL, "AU", DV_CONTENT_SOUND},
    {0, "OggS", NULL, "OGG", DV_CONTENT_SOUND},
    {0, "fLaC", NULL, "FLAC", DV_CONTENT_SOUND},
    {0, "ID3", NULL, "MP3", DV_CONTENT_SOUND},
    {0, "\xFF\xFB", NULL, "MP3", DV_CONTENT_SOUND},
    {0, "\xFF\xF3", NULL, "MP3", DV_CONTENT_SOUND},
    {8, "{\"", NULL, "", DV_CONTENT_SAFETENSORS},
    {0, "PK\3\4", NULL, "", DV_CONTENT_ZIP},
    /* The version of ONNX's intermediate representation, then the producer's name. */
    {0, "\x08\x06\x12", NULL, "", DV_CONTENT_ONNX},
    {0, "\x08\x07\x12", NULL, "", DV_CONTENT_ONNX},
    {0, "\x08\x08\x12", NULL, "", DV_CONTENT_ONNX},
    {0, "\x08\x09\x12", NULL, "", DV_CONTENT_ONNX},
    {0, "\x08\x0A\x12", NULL, "", DV_CONTENT_ONNX},
};

static bool fits(const magic *known, const char *begin, size_t count)
{
    size_t end = known->at + strlen(known->bytes);
    if (end > count || memcmp(begin + known->at, known->bytes, end - known->at) != 0)
        return false;
    return known->form == NULL ||
           memmem(begin + end, count - end, known->form, strlen(known->form)) != NULL;
}

/* Whether no byte of `begin` is a control character but those that part lines and columns. */
static bool is_text(const char *begin, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)begin[i];
        if ((c < ' ' && strchr("\t\r\n", c) == NULL) || c == 0x7F || c == '\0')
            return false;
    }
    return count > 0;
}

dv_content dv_content_of(const void *begin, size_t count, const char **name)
{
    *name = "";
    if (count > DV_CONTENT_BYTES)
        count = DV_CONTENT_BYTES;
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (!fits(&magics[i], begin, count))
            continue;
        *name = magics[i].name;
        return magics[i].kind;
    }
    return is_text(begin, count) ? DV_CONTENT_TEXT : DV_CONTENT_UNKNOWN;
}

void dv_content_phrase_of(const char *name, const void *begin, size_t count,
                          char phrase[DV_CONTENT_PHRASE_SIZE])
{
    static const char *const texts[] = {[DV_CONTENT_UNKNOWN] = "",
                                        [DV_CONTENT_SOUND] = "a sound file",
                                        [DV_CONTENT_FOREIGN_SOUND] = "a sound file",
                                        [DV_CONTENT_SAFETENSORS] = "a checkpoint",
                                        [DV_CONTENT_ZIP] = "a zip archive",
                                        [DV_CONTENT_ONNX] = "an ONNX model",
                                        [DV_CONTENT_TEXT] = "a text"};
    const char *format;
    dv_content kind = dv_content_of(begin, count, &format);
    bool yaml = dv_ends_with(name, ".yaml") || dv_ends_with(name, ".yml");
    const char *text = kind == DV_CONTENT_TEXT && yaml ? "a configuration" : texts[kind];
    snprintf(phrase, DV_CONTENT_PHRASE_SIZE, "%s%s%s%s", text, format[0] != '\0' ? " (" : "",
             format, format[0] != '\0' ? ")" : "");
}

void dv_content_phrase(const char *path, char phrase[DV_CONTENT_PHRASE_SIZE])
{
    struct stat facts;
    char begin[DV_CONTENT_BYTES];
    phrase[0] = '\0';
    if (stat(path, &facts) != 0)
        return;
    if (S_ISDIR(facts.st_mode))
        snprintf(phrase, DV_CONTENT_PHRASE_SIZE, "a folder");
    FILE *file = S_ISREG(facts.st_mode) ? fopen(path, "rbe") : NULL;
    if (file == NULL)
        return;
    size_t count = fread(begin, 1, sizeof begin, file);
    fclose(file);
    dv_content_phrase_of(path, begin, count, phrase);
}
