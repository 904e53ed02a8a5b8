# Sourced first by the scripts that people call: --help prints what a script says of itself and does nothing else; a wrong
# call prints it, too, and exits with 2.
said="$(sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0")"
wrong() { printf '%s\n' "$said" >&2; exit 2; }
arguments() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] || wrong; } # <how many there are> <fewest> <most>
case " $* " in *" --help "* | *" -h "*) printf '%s\n' "$said"; exit 0 ;; esac
