/* Recognises sound files by the endings of their names. */
#include "frontends/audio/audio.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool ends_in(const char *ending, const char *const *endings)
{
    while (*endings != NULL && strcasecmp(ending, *endings) != 0)
        endings++;
    return *endings != NULL;
}

dv_sound_kind dv_audio_kind(const char *name)
{
    static const char *const read[] = {".wav", ".wave", ".flac", ".ogg",  ".oga", ".opus",
                                       ".mp3", ".aif",  ".aiff", ".aifc", ".au",  ".snd",
                                       ".caf", ".w64",  ".rf64", NULL};
    static const char *const foreign[] = {".m4a", ".aac", ".amr", ".webm",
                                          ".wma", ".mp4", ".3gp", NULL};
    const char *dot = strrchr(name, '.');
    if (dot == NULL)
        return DV_NO_SOUND;
    return ends_in(dot, read) ? DV_SOUND : ends_in(dot, foreign) ? DV_FOREIGN_SOUND : DV_NO_SOUND;
}
