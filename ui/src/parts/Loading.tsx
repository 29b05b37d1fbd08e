/** What stands where something will be: skeletons of the final size, so that nothing jumps. */
import { makeStyles, Skeleton, SkeletonItem, tokens } from "@fluentui/react-components";

const useStyles = makeStyles({
  lines: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalS, width: "100%" },
});

export function Loading({
  lines = 3,
  height = 24,
}: {
  lines?: number;
  height?: 16 | 24 | 32 | 40;
}) {
  const styles = useStyles();
  return (
    <Skeleton className={styles.lines} aria-label="Loading">
      {Array.from({ length: lines }, (_, at) => (
        <SkeletonItem key={at} size={height} />
      ))}
    </Skeleton>
  );
}
