//! What Zig's standard library does with files and directories, without libc: it opens directories with rights of its own
//! choice, hands down none, and asks `fd_fdstat_get` what it may do. The first preopened directory is the current one.
const std = @import("std");
const Io = std.Io;

var checks: u32 = 0;
var failures: u32 = 0;

fn check(condition: bool, what: []const u8) void {
    checks += 1;
    if (condition) return;
    failures += 1;
    std.debug.print("files.zig: {s}\n", .{what});
}

/// The call fails with this error.
fn fails(expected: anyerror, result: anytype, what: []const u8) void {
    if (result) |_| check(false, what) else |err| check(err == expected, what);
}

fn same(a: []const u8, b: []const u8, what: []const u8) void {
    check(std.mem.eql(u8, a, b), what);
}

fn filesBelow(io: Io, gpa: std.mem.Allocator, dir: Io.Dir) !void {
    const created = try dir.createFile(io, "f", .{ .read = true });
    try created.writeStreamingAll(io, "hello, world");
    try created.writePositionalAll(io, "H", 0);
    var buffer: [64]u8 = undefined;
    const read = try created.readPositionalAll(io, &buffer, 0);
    same(buffer[0..read], "Hello, world", "what was written is read from the same file");
    check((try created.stat(io)).size == 12, "size of an open file");
    try created.setLength(io, 5);
    try created.sync(io);
    check((try created.length(io)) == 5, "a file is cut");
    try created.setTimestampsNow(io);
    created.close(io);
    fails(error.PathAlreadyExists, dir.createFile(io, "f", .{ .exclusive = true }), "exclusive");

    const contents = try dir.readFileAlloc(io, "f", gpa, .limited(100));
    same(contents, "Hello", "a file is read whole");
    const reader = try dir.openFile(io, "f", .{});
    fails(error.NotOpenForWriting, reader.writeStreamingAll(io, "x"), "a file opened to read is not written");
    reader.close(io);
    const writer = try dir.openFile(io, "f", .{ .mode = .write_only });
    try writer.writeStreamingAll(io, "J");
    writer.close(io);
    const both = try dir.openFile(io, "f", .{ .mode = .read_write });
    same(buffer[0..try both.readPositionalAll(io, &buffer, 0)], "Jello", "a file opened for both is read");
    try both.writePositionalAll(io, "y", 4);
    both.close(io);
    try dir.access(io, "f", .{});
    try dir.access(io, "f", .{ .read = true, .write = true });
    fails(error.FileNotFound, dir.access(io, "none", .{}), "access to nothing");
    fails(error.FileNotFound, dir.openFile(io, "none", .{}), "open nothing");

    const stat = try dir.statFile(io, "f", .{});
    check(stat.kind == .file and stat.size == 5 and stat.nlink == 1, "stat of a path");
    try dir.symLink(io, "f", "link", .{});
    same(buffer[0..try dir.readLink(io, "link", &buffer)], "f", "a link is read");
    try dir.rename("f", dir, "g", io);
    fails(error.FileNotFound, dir.statFile(io, "f", .{}), "the old name is gone");
    try Io.Dir.hardLink(dir, "g", dir, "h", io, .{});
    check((try dir.statFile(io, "g", .{})).nlink == 2, "two names");
    fails(error.FileNotFound, dir.openFile(io, "no/file", .{}), "a directory that is not there");
}

fn list(io: Io, gpa: std.mem.Allocator, dir: Io.Dir) ![]const u8 {
    var names: std.ArrayList([]const u8) = .empty;
    var iterator = dir.iterate();
    while (try iterator.next(io)) |entry| {
        try names.append(gpa, try std.fmt.allocPrint(gpa, "{s}:{t}", .{ entry.name, entry.kind }));
    }
    std.mem.sort([]const u8, names.items, {}, struct {
        fn less(_: void, a: []const u8, b: []const u8) bool {
            return std.mem.lessThan(u8, a, b);
        }
    }.less);
    return std.mem.join(gpa, " ", names.items);
}

fn directories(io: Io, gpa: std.mem.Allocator) !void {
    const cwd = Io.Dir.cwd();
    try cwd.createDirPath(io, "a/b/c");
    // A directory to look things up in, one to list, and one below one below one.
    for ([_]bool{ false, true }) |iterate| {
        const a = try cwd.openDir(io, "a", .{ .iterate = iterate });
        defer a.close(io);
        const b = try a.openDir(io, "b", .{ .iterate = iterate });
        defer b.close(io);
        const c = try b.openDir(io, "c", .{ .iterate = iterate });
        defer c.close(io);
        try filesBelow(io, gpa, c);
        if (iterate) {
            same(try list(io, gpa, c), "g:file h:file link:sym_link", "listing");
            same(try list(io, gpa, b), "c:directory", "listing of directories");
        }
        for ([_][]const u8{ "g", "h", "link" }) |name| try c.deleteFile(io, name);
        fails(error.FileNotFound, c.deleteFile(io, "g"), "delete nothing");
        try c.createDir(io, "d", .default_dir);
        fails(error.PathAlreadyExists, c.createDir(io, "d", .default_dir), "create twice");
        try c.rename("d", b, "e", io);
        try b.deleteDir(io, "e");
        fails(error.PermissionDenied, c.openDir(io, "../../../..", .{}), "out of the sandbox");
        fails(error.NotDir, openFileAsDirectory(io, b), "a file is no directory");
    }
    var many: [40]u8 = undefined;
    for (0..100) |index| {
        const name = try std.fmt.bufPrint(&many, "a/b/file {d}", .{index});
        try cwd.writeFile(io, .{ .sub_path = name, .data = name });
    }
    for (0..100) |index| {
        const name = try std.fmt.bufPrint(&many, "a/b/file {d}", .{index});
        same(try cwd.readFileAlloc(io, name, gpa, .limited(100)), name, "one of many files");
    }
    const b = try cwd.openDir(io, "a/b", .{ .iterate = true });
    var iterator = b.iterate();
    var count: u32 = 0;
    while (try iterator.next(io)) |_| count += 1;
    b.close(io);
    check(count == 101, "a long listing");
    try cwd.deleteTree(io, "a");
    fails(error.FileNotFound, cwd.openDir(io, "a", .{}), "the tree is gone");
}

fn openFileAsDirectory(io: Io, dir: Io.Dir) !Io.Dir {
    try dir.writeFile(io, .{ .sub_path = "plain", .data = "" });
    defer dir.deleteFile(io, "plain") catch {};
    return dir.openDir(io, "plain", .{});
}

pub fn main(init: std.process.Init) !void {
    try directories(init.io, init.arena.allocator());
    var buffer: [100]u8 = undefined;
    const line = try std.fmt.bufPrint(&buffer, "{d} checks, {d} failures\n", .{ checks, failures });
    try Io.File.stdout().writeStreamingAll(init.io, line);
    if (failures > 0) std.process.exit(1);
}
