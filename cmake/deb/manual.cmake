# Writes OUT, the manual page decavox(1), from HELP, a file with the output of `decavox --help`.
# VERSION and ABOUT are those of the project.
file(READ ${HELP} help)
string(REPLACE "\\" "\\e" help "${help}")
string(REPLACE "-" "\\-" help "${help}")
string(TOLOWER "${ABOUT}" about)
file(WRITE ${OUT} ".TH DECAVOX 1 \"\" \"decavox ${VERSION}\" \"User Commands\"
.SH NAME
decavox \\- ${about}
.SH SYNOPSIS
.B decavox
.I COMMAND
.RI [ ARGUMENTS ]
.SH DESCRIPTION
.nf
${help}.fi
.SH FILES
.TP
.I /usr/share/decavox/configs
configurations of experiments and models
.TP
.I /usr/share/decavox/checkpoints
trained models; a command takes one by its name
.SH ENVIRONMENT
.TP
.B DECAVOX_HOME
a folder that is looked in before the working folder and /usr/share/decavox
")
