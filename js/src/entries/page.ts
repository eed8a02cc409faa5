import { openPage } from "../page/page";

void openPage(document);
