/**
 * The images Wherry can make from Debian packages, where no registry can be reached.
 *
 * They are laid out as the public images of the same name are, as far as manifests rely on it:
 * paths, users, entry point, logs on stdout. The label says that they are stand-ins.
 */
import { basename } from "node:path";
import { run } from "../setup/exec.ts";
import type { Entry, ImageContent } from "./archive.ts";

export const pauseImage = "wherry/pause:1";

/** Unpacked packages by name; see `ensurePackages`. */
export type Roots = Readonly<Record<"catatonit" | "busybox-static" | "nginx", string>>;

const standIn = { "wherry.stand-in": "true" };
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Holds a pod's namespaces: catatonit waits, and reaps what its pod leaves behind. */
export function pauseContent(roots: Pick<Roots, "catatonit">): ImageContent {
  return {
    tags: [pauseImage],
    entries: [{ path: "/pause", from: `${roots.catatonit}/usr/bin/catatonit`, mode: 0o755 }],
    config: { Entrypoint: ["/pause", "-P"], Labels: { "wherry.io/managed": "true" } },
  };
}

export async function busyboxContent(roots: Roots): Promise<ImageContent> {
  return {
    tags: ["busybox:1.35"],
    entries: await busyboxEntries(roots),
    config: { Cmd: ["sh"], Env: [path], Labels: standIn },
  };
}

export async function nginxContent(roots: Roots): Promise<ImageContent> {
  const nginx = `${roots.nginx}/usr/sbin/nginx`;
  return {
    tags: ["nginx:1.22", "nginx:1.23"],
    entries: [
      ...(await busyboxEntries(roots)),
      ...(await libraryEntries(nginx, roots.nginx)),
      { path: "/usr/sbin/nginx", from: nginx, mode: 0o755 },
      { path: "/etc/nginx/mime.types", from: `${roots.nginx}/etc/nginx/mime.types` },
      { path: "/etc/nginx/nginx.conf", text: nginxConf },
      { path: "/etc/nginx/conf.d/default.conf", text: defaultServer },
      {
        path: "/usr/share/nginx/html/index.html",
        from: `${roots.nginx}/usr/share/nginx/html/index.html`,
      },
      { path: "/usr/share/nginx/html/50x.html", text: "<h1>An error occurred.</h1>\n" },
      { path: "/var/log/nginx/access.log", linkTo: "/dev/stdout" },
      { path: "/var/log/nginx/error.log", linkTo: "/dev/stderr" },
      { path: "/var/lib/nginx", folder: true },
      { path: "/var/cache/nginx", folder: true },
      { path: "/docker-entrypoint.d", folder: true },
      { path: "/docker-entrypoint.sh", text: '#!/bin/sh\nexec "$@"\n', mode: 0o755 },
    ],
    config: {
      Entrypoint: ["/docker-entrypoint.sh"],
      Cmd: ["nginx", "-g", "daemon off;"],
      Env: [path],
      ExposedPorts: { "80/tcp": {} },
      StopSignal: "SIGQUIT",
      Labels: standIn,
    },
  };
}

async function busyboxEntries(roots: Roots): Promise<Entry[]> {
  const busybox = `${roots["busybox-static"]}/bin/busybox`;
  const { stdout } = await run(busybox, ["--list"]);
  const applets = stdout.split("\n").filter((name) => name !== "" && name !== "busybox");
  return [
    { path: "/bin/busybox", from: busybox, mode: 0o755 },
    ...applets.map((name): Entry => ({ path: `/bin/${name}`, linkTo: "/bin/busybox" })),
    { path: "/usr/bin/env", linkTo: "/bin/busybox" },
    { path: "/etc/passwd", text: passwd },
    { path: "/etc/group", text: group },
    { path: "/etc/nsswitch.conf", text: "passwd: files\ngroup: files\nhosts: files dns\n" },
    { path: "/tmp", folder: true, mode: 0o1777 },
    { path: "/root", folder: true, mode: 0o700 },
    { path: "/home", folder: true },
    { path: "/run", folder: true },
    { path: "/var/run", linkTo: "/run" },
    { path: "/var/tmp", folder: true, mode: 0o1777 },
  ];
}

/** The libraries a program names, wherever `ldd` finds them, and the loader where it must be. */
async function libraryEntries(program: string, root: string): Promise<Entry[]> {
  const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const search = [`${root}/usr/lib/${triplet}`, `${root}/lib/${triplet}`].join(":");
  const { stdout } = await run("ldd", [program], { env: { LD_LIBRARY_PATH: search } });
  return parseLdd(stdout).map((from) => ({
    path: /\/ld-linux[^/]*$/.test(from) ? from : `/lib/${basename(from)}`,
    from,
    mode: 0o755,
  }));
}

/** The files in the output of `ldd`; throws when a library was not found. */
export function parseLdd(output: string): string[] {
  const files: string[] = [];
  for (const line of output.split("\n")) {
    if (line.includes("not found")) throw new Error(`a library is missing:${line}`);
    const file = /=> (\/\S+)/.exec(line)?.[1] ?? /^\s*(\/\S+) \(0x/.exec(line)?.[1];
    if (file) files.push(file);
  }
  return files;
}

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nginx:x:101:101:nginx user:/nonexistent:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;

const group = `root:x:0:
daemon:x:1:
bin:x:2:
www-data:x:33:
nginx:x:101:
nogroup:x:65534:
`;

const nginxConf = `user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /var/run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
`;

const defaultServer = `server {
    listen 80;
    server_name localhost;

    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }

    error_page 500 502 503 504 /50x.html;
    location = /50x.html {
        root /usr/share/nginx/html;
    }
}
`;
