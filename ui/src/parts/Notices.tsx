/** Draws notices; errors stay until they are dismissed, others go after eight seconds. */
import {
  Link,
  makeStyles,
  Toast,
  ToastBody,
  ToastFooter,
  ToastTitle,
  ToastTrigger,
  Toaster,
  useId,
  useToastController,
} from "@fluentui/react-components";
import { useRouter } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { fluentRef } from "@/lib/fluentRef.ts";
import { type Notice, notifyFailure, showNoticesWith } from "./notices.ts";

const SHOWN_MS = 8000;

const useStyles = makeStyles({
  // Above the menu, which stands at the bottom of a telephone; Fluent places them in the element.
  notices: { "@media (max-width: 640px)": { bottom: "68px !important" } },
});

export function Notices() {
  const styles = useStyles();
  const id = useId("notices");
  const { dispatchToast } = useToastController(id);
  useEffect(() => {
    showNoticesWith((notice) => {
      const intent = notice.intent ?? "success";
      dispatchToast(<NoticeToast notice={notice} />, {
        intent,
        timeout: intent === "error" ? -1 : SHOWN_MS,
        pauseOnHover: true,
        pauseOnWindowBlur: true,
      });
    });
  }, [dispatchToast]);
  return <Toaster toasterId={id} className={styles.notices} position="bottom-end" limit={4} />;
}

function NoticeToast({ notice }: { notice: Notice }) {
  const router = useRouter();
  const { undo, link } = notice;
  const toast = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Fluent keeps the Tab key within a notice, and within all, until Escape: nobody would guess.
    for (let around = toast.current?.closest("[data-tabster]"); around;) {
      around.removeAttribute("data-tabster");
      around = around.closest("[data-tabster]");
    }
  }, []);
  return (
    <Toast ref={fluentRef(toast)}>
      <ToastTitle
        action={
          <ToastTrigger>
            <Link>Dismiss</Link>
          </ToastTrigger>
        }
      >
        {notice.title}
      </ToastTitle>
      {notice.body && <ToastBody>{notice.body}</ToastBody>}
      {(undo ?? link) && (
        <ToastFooter>
          {undo && (
            <ToastTrigger>
              <Link
                onClick={() => {
                  Promise.resolve(undo()).catch((error: unknown) =>
                    notifyFailure("Could not be undone", error),
                  );
                }}
              >
                Undo
              </Link>
            </ToastTrigger>
          )}
          {link && (
            <ToastTrigger>
              <Link
                href={link.href}
                onClick={(event) => {
                  event.preventDefault();
                  router.history.push(link.href);
                }}
              >
                {link.label}
              </Link>
            </ToastTrigger>
          )}
        </ToastFooter>
      )}
    </Toast>
  );
}
