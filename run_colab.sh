#!/usr/bin/env bash
# Runs one notebook on a GPU machine: on Colab, on this machine, or on another by ssh.
set -euo pipefail

usage() {
    cat <<'HELP'
Usage: ./run_colab.sh NOTEBOOK [-p NAME=VALUE ...] [OPTIONS]
Example: ./run_colab.sh 3-training/country.ipynb -p epochs=20

Runs a notebook as a plain Python script with live output: on Colab, on any machine with a GPU, or
by ssh on another one. It may lie alone: then it clones the repository first, or updates the clone.
It installs the libraries of poetry.lock beside those of the machine (torch, torchvision and CUDA
stay as they are), prepares what the notebook reads, and runs it under torchrun when there are
several GPUs. Results are in the stage's .data folder; on Colab they are copied to the Drive too.

  -p NAME=VALUE      a parameter of the notebook (repeatable)
  --dataset NAME     a data set of data-lists/ (default: demo)
  --host USER@HOST   run there by ssh, and bring the results back; sends HEAD, no uncommitted change
  --send-env         with --host: send .env too (over the connection, readable by you alone)
  --repo URL         the repository, where this script lies alone
                     (or the variable LOST_AND_FOUND_REPOSITORY)
  --branch NAME      the branch to clone or update to (default: the repository's own)
  --drive PATH       a mounted Drive (default: /content/drive/MyDrive), where the folder
                     lost-and-found may hold <dataset>.zip, or <dataset>/ (flat or nested by the
                     first two characters), and <dataset>-processed.zip (what stage 2 made)
  --processes N      processes for the training (default: one a GPU)
  --dry-run          show what would be done
  --help             show this

Variables: PYTHON (default: .venv/bin/python of the clone, else python3);
LOST_AND_FOUND_CLONE, where the clone goes (default: /content/lost-and-found on Colab, else
./lost-and-found); LOST_AND_FOUND_SSH, the ssh command with its options;
LOST_AND_FOUND_REMOTE_FOLDER, the folder on the other machine (default: lost-and-found, below home).
Exit codes: the notebook's own; 2: the request makes no sense; 255: no connection.
HELP
}

fail() {
    printf 'error: %s\n' "$1" >&2
    exit "${2:-2}"
}

say() { printf '== %s\n' "$1"; }

# Shows a command, and runs it unless it is a dry run.
run() {
    printf '+ %s\n' "$(quoted "$@")"
    if [ -z "$dry_run" ]; then "$@"; fi
}

quoted() {
    local text
    printf -v text '%q ' "$@"
    printf '%s' "${text% }"
}

value_of() { # option, how many arguments are left
    [ "$2" -ge 2 ] || fail "$1: expected a value after it; see --help"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
notebook="" host="" repo="${LOST_AND_FOUND_REPOSITORY:-}" branch="" dry_run="" send_env=""
dataset=demo
passed=() # what the Python part is told
while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h) usage && exit 0 ;;
    --dry-run) dry_run=1 && passed+=("$1") && shift ;;
    --send-env) send_env=1 && shift ;;
    --host) value_of "$1" $# && host="$2" && shift 2 ;;
    --repo) value_of "$1" $# && repo="$2" && shift 2 ;;
    --branch) value_of "$1" $# && branch="$2" && shift 2 ;;
    --dataset) value_of "$1" $# && dataset="$2" && passed+=("$1" "$2") && shift 2 ;;
    -p | --drive | --processes) value_of "$1" $# && passed+=("$1" "$2") && shift 2 ;;
    -*) fail "unknown option '$1'; see --help" ;;
    *)
        [ -z "$notebook" ] || fail "expected one notebook, got '$notebook' and '$1'"
        notebook="$1" && shift
        ;;
    esac
done
[ -n "$notebook" ] || fail "expected a notebook, such as 3-training/country.ipynb; see --help"
[[ "$dataset" =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || fail "--dataset: expected a name, got '$dataset'"

is_clone() { [ -f "$1/poetry.lock" ] && [ -f "$1/shared/colab/__main__.py" ]; }

# Clones the repository, or brings the clone up to date; sets $here to it.
get_clone() {
    local content="${LOST_AND_FOUND_CONTENT:-/content}" clone="${LOST_AND_FOUND_CLONE:-}"
    if [ -z "$clone" ]; then
        if [ -d "$content" ]; then clone="$content/lost-and-found"; else clone="$PWD/lost-and-found"; fi
    fi
    command -v git >/dev/null || fail "git is missing; install it"
    if [ -d "$clone/.git" ]; then
        say "update $clone"
        run git -C "$clone" fetch --quiet origin ||
            fail "could not reach the repository of $clone: $(git -C "$clone" remote get-url origin)" 1
        if [ -n "$branch" ]; then run git -C "$clone" checkout --quiet "$branch"; fi
        run git -C "$clone" merge --quiet --ff-only '@{upstream}' ||
            fail "$clone has commits or changes of its own: bring it up to date by hand" 1
    else
        [ -n "$repo" ] || fail "this script lies alone: name the repository by --repo URL"
        say "clone into $clone"
        run git clone --quiet ${branch:+--branch "$branch"} -- "$repo" "$clone" ||
            fail "could not clone $repo" 1
    fi
    here="$clone"
    if ! is_clone "$here"; then
        [ -n "$dry_run" ] || fail "$here is no clone of Lost & Found: it has no shared/colab"
        say "dry run: the rest is known when the clone is there"
        exit 0
    fi
}

# Runs the notebook on this machine.
run_here() {
    is_clone "$here" || get_clone
    local python="${PYTHON:-}"
    if [ -z "$python" ] && [ -x "$here/.venv/bin/python" ]; then python="$here/.venv/bin/python"; fi
    python="${python:-python3}"
    command -v "$python" >/dev/null || fail "no Python at '$python'; set PYTHON"
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' ||
        fail "expected Python 3.11 to 3.13, got $("$python" --version 2>&1) ($python); set PYTHON"
    cd "$here"
    exec "$python" -m shared.colab "$notebook" ${passed[@]+"${passed[@]}"}
}

read -r -a ssh_command <<<"${LOST_AND_FOUND_SSH:-ssh}"
terminal=""
remote_folder="${LOST_AND_FOUND_REMOTE_FOLDER:-lost-and-found}"

remote() { # a command line for the other machine's shell, shown as $2; keeps its exit code
    local code=0
    printf '+ %s %s: %s\n' "${ssh_command[*]}" "$host" "${2:-$1}"
    [ -n "$dry_run" ] || "${ssh_command[@]}" ${terminal:+"$terminal"} "$host" "$1" || code=$?
    [ "$code" != 255 ] || fail "no ssh connection to '$host' (try: ${ssh_command[*]} $host true)" 255
    return "$code"
}

# Sends HEAD; files that an earlier sending brought and HEAD has no more are removed there.
send_head() {
    local folder
    folder=$(quoted "$remote_folder")
    git -C "$here" rev-parse --quiet --verify HEAD >/dev/null || fail "$here is no git repository"
    if [ -n "$(git -C "$here" status --porcelain --untracked-files=no)" ]; then
        say "note: uncommitted changes are not sent, only HEAD"
    fi
    say "send $(git -C "$here" rev-parse --short HEAD) to $host:$remote_folder"
    archive_head | remote "set -e
mkdir -p $folder/.cache && cd $folder
touch .cache/sent && mv .cache/sent .cache/sent.before
tar -xvf - | LC_ALL=C sort > .cache/sent
LC_ALL=C comm -23 .cache/sent.before .cache/sent | while IFS= read -r name; do
    case \"\$name\" in */) ;; *) rm -f -- \"\$name\" ;; esac
done" "(unpack into $folder)"
}

archive_head() { [ -n "$dry_run" ] || git -C "$here" archive --format=tar HEAD; }

send_secrets() {
    [ -f "$here/.env" ] || fail "--send-env: there is no $here/.env"
    say "send .env"
    remote "umask 077 && cat > $(quoted "$remote_folder")/.env.part && mv $(quoted "$remote_folder")/.env.part $(quoted "$remote_folder")/.env" <"$here/.env"
}

# Brings the stage's results back, whole or not at all; cached images (*.npy) stay there.
bring_back() {
    local stage target incoming folder
    stage=$(dirname "${notebook#./}")
    target="$here/$stage/.data/$dataset"
    folder=$(quoted "$remote_folder/$stage/.data/$dataset")
    incoming="$here/$stage/.data/.incoming.$$"
    say "bring the results back to $target"
    if [ -n "$dry_run" ]; then
        remote "cd $folder && tar -cf - --exclude='*.npy' ."
        return
    fi
    mkdir -p "$incoming" "$target"
    # The names are the other machine's word: nothing may be written elsewhere than in $incoming.
    if ! "${ssh_command[@]}" "$host" "cd $folder && tar -cf - --exclude='*.npy' ." |
        tar -xf - -C "$incoming" --no-same-owner; then
        rm -rf "$incoming"
        say "there are no results to bring back"
        return 1
    fi
    local entry name
    for entry in "$incoming"/*; do
        [ -e "$entry" ] || continue
        name=$(basename "$entry")
        rm -rf "${target:?}/.before.$name"
        if [ -e "$target/$name" ]; then mv "$target/$name" "$target/.before.$name"; fi
        mv "$entry" "$target/$name"
        rm -rf "${target:?}/.before.$name"
    done
    rm -rf "$incoming"
}

# Does the same on another machine, over ssh.
run_there() {
    local command line code=0 alone=()
    case "$host" in -*) fail "--host: expected user@machine, got '$host'" ;; esac
    if is_clone "$here"; then
        send_head || fail "could not send the repository to $host" $?
        if [ -n "$send_env" ]; then send_secrets; fi
    else
        [ -n "$repo" ] || fail "this script lies alone: name the repository by --repo URL"
        say "send this script to $host"
        remote "cat > $(quoted "$remote_folder.sh")" <"$here/$(basename "${BASH_SOURCE[0]}")"
        alone=(env LOST_AND_FOUND_CLONE="$remote_folder")
    fi
    command=(bash run_colab.sh "$notebook")
    if [ ${#alone[@]} -gt 0 ]; then
        command=("${alone[@]}" bash "$remote_folder.sh" "$notebook" --repo "$repo")
        command+=(${branch:+--branch "$branch"})
    fi
    line=$(quoted "${command[@]}" ${passed[@]+"${passed[@]}"})
    if [ ${#alone[@]} = 0 ]; then line="cd $(quoted "$remote_folder") && $line"; fi
    say "run on $host"
    if [ -t 0 ]; then terminal=-t; fi # so that Ctrl-C reaches the other machine
    remote "$line" || code=$?
    terminal=""
    bring_back || [ "$code" != 0 ] || code=1
    if [ "$code" != 0 ]; then fail "the run on $host failed with exit code $code, as shown above" "$code"; fi
}

if [ -n "$host" ]; then run_there; else run_here; fi
