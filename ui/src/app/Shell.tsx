import { Outlet } from "@tanstack/react-router";
import { Notices } from "@/parts/Notices.tsx";

export function Shell() {
  return (
    <>
      <Outlet />
      <Notices />
    </>
  );
}
