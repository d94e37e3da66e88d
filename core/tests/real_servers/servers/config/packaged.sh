# Runs a server from a Debian package that cannot be installed beside another mail server, and needs users, paths and
# spool folders of its own: as if it were installed, but in a file system that only it sees and that is gone with it.
# Arguments: an empty folder, the package, the folder of the run, the users, then the program with its arguments.
set -e
scratch=$1 package=$2 run=$3 users=$4
shift 4
mount -t tmpfs none "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
# Without /lib and /bin, which are links here and folders in a package.
dpkg-deb --fsys-tarfile "$package" | tar -x -C "$scratch/root" --wildcards './usr/*' './var/*' 2>/dev/null ||
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$scratch/root" ./usr
mount --bind "$run" "$scratch/root$run"
mount --bind /proc "$scratch/root/proc"
mount --rbind /dev "$scratch/root/dev"
for user in $users; do
    chroot "$scratch/root" useradd --system --no-create-home "$user"
done
echo started
exec chroot "$scratch/root" "$@"
